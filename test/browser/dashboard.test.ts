/**
 * The dashboard as a person uses it: in Chromium (Debian's package `chromium`), against a running broker and MQTT clients. Where there
 * is no Chromium the tests are skipped; EVENTFLOW_CHROMIUM names one that is elsewhere.
 */

import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { formatHash, hashPassword } from '../../plugins/access/password-hash.ts'
import { EVENT_TYPES } from '../../src/core/event-types.ts'
import { startBroker, temporaryFolder } from '../helpers/broker.ts'
import { connectClient } from '../helpers/mqtt-client.ts'
import { until } from '../helpers/until.ts'

const CHROMIUM = process.env.EVENTFLOW_CHROMIUM ?? '/usr/bin/chromium'
const isThere = existsSync(CHROMIUM)
const OPERATE = '0123456789abcdef-operate'
const READ = '0123456789abcdef-read'

let browser: Browser

beforeAll(async () => {
  if (!isThere) console.warn(`The tests of the dashboard are skipped: there is no Chromium at ${CHROMIUM}`)
  else browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] })
}, 60_000)
afterAll(() => browser?.close())

interface Visit {
  readonly page: Page
  /** What the browser complained of: scripts that failed, and what the Content-Security-Policy kept out. */
  readonly complaints: string[]
}

async function visit(url: string, options: BrowserContextOptions = {}): Promise<Visit> {
  const context = await browser.newContext(options)
  onTestFinished(() => context.close())
  const page = await context.newPage()
  // Less than a test may take, so that it fails by the name of what was not there.
  page.setDefaultTimeout(25_000)
  const complaints: string[] = []
  page.on('pageerror', ({ message }) => complaints.push(message))
  page.on('dialog', (dialog) => {
    complaints.push(`a script asked: ${dialog.message()}`)
    void dialog.dismiss()
  })
  page.on('console', (message) => {
    const expected = /status of (400|401|403|404|409|422)|WebSocket connection to|ERR_CONNECTION/.test(message.text())
    if (message.type() === 'error' && !expected) complaints.push(message.text())
  })
  await page.goto(url)
  return { page, complaints }
}

async function start(config: object = {}) {
  const broker = await startBroker({ http: { port: 0 }, ...config })
  return { broker, url: broker.httpUrl! }
}

async function tokenFile(): Promise<string> {
  const path = join(await temporaryFolder(), 'tokens')
  await writeFile(path, `grafana read ${READ}\nada operate ${OPERATE}\n`, { mode: 0o600 })
  return path
}

/** Looks for what keeps people out. */
const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js')

const textOf = (page: Page, selector: string) => page.locator(selector).textContent()

/** Waits until text is there, as a reader sees it. */
const see = (page: Page, selector: string, text: string | RegExp) =>
  page.locator(selector).filter({ hasText: text }).first().waitFor()

async function signIn(page: Page, token: string): Promise<void> {
  await page.getByLabel('Token').fill(token)
  await page.keyboard.press('Enter')
}

describe('the files of the dashboard', () => {
  it('are served without a token, are told to nobody as the API, and hold nothing inline', async () => {
    const { url } = await start({ http: { port: 0, tokenFile: await tokenFile() } })
    const answer = await fetch(url)
    expect(answer.headers.get('content-type')).toMatch('text/html')
    const policy = answer.headers.get('content-security-policy')!
    expect(policy).toContain("default-src 'none'")
    expect(policy).not.toMatch(/unsafe|https:|upgrade/)
    const html = await answer.text()
    expect(html).not.toMatch(/<style|style=|<script(?![^>]* src=)|\son\w+=/)
    for (const [, path] of html.matchAll(/(?:href|src)="(dashboard\/[^"]+)"/g)) {
      expect(await fetch(`${url}/${path}`), path).toMatchObject({ status: 200 })
    }
    expect(await fetch(`${url}/dashboard/uplot.js`)).toMatchObject({ status: 200 })
    expect(await fetch(`${url}/dashboard/..%2Findex.ts`)).toMatchObject({ status: 404 })
    expect(await fetch(`${url}/dashboard/none.js`)).toMatchObject({ status: 404 })
  })

  it('offer every area of events to choose from', async () => {
    const html = await (await fetch((await start()).url)).text()
    const offered = [...html.matchAll(/type="checkbox" value="(\w+)"/g)].map(([, area]) => area)
    expect(offered.sort()).toEqual([...new Set(EVENT_TYPES.map((type) => type.split('.')[0]))].sort())
  })
})

// A browser takes its time where many tests run at once.
describe.skipIf(!isThere)('the dashboard', { timeout: 60_000 }, () => {
  it('shows how the broker does, and draws it', async () => {
    const { broker, url } = await start()
    const { mqtt: client } = await connectClient(broker.port)
    const { page, complaints } = await visit(url)
    await see(page, '#state', 'running')
    await see(page, '#chart-clients .legend', /now\s*1/)
    const publishing = setInterval(() => client.publish('a', 'x'), 20)
    onTestFinished(() => clearInterval(publishing))
    await see(page, '#chart-messages .legend', /received\s*[1-9]/)
    await page.locator('#chart-messages canvas').waitFor()
    expect(complaints).toEqual([])
  })

  it('says that the broker is gone, and goes on when it is back', async () => {
    const { broker, url } = await start()
    const { page } = await visit(url)
    await see(page, '#state', 'running')
    await broker.stop()
    await see(page, '#state', 'not connected')
    await see(page, '#away', 'does not answer')
    await start({ http: { port: Number(new URL(url).port) } })
    await see(page, '#state', 'running')
    await page.locator('#away').waitFor({ state: 'hidden' })
    await see(page, '.notice', 'The broker was started again.')
  })

  it('looks into queues, pauses and resumes them, and purges them only when that is confirmed', async () => {
    const { broker, url } = await start()
    for (const payload of ['<b>one</b>', 'two']) await broker.publish('queue/work/eu', payload, { qos: 1 })
    const { page, complaints } = await visit(`${url}/#queues`)
    const row = page.getByRole('row').filter({ hasText: 'work/eu' })
    await row.getByRole('button', { name: 'Pause' }).click()
    await row.getByText('paused').waitFor()
    expect(broker.queues.list()).toMatchObject([{ paused: true }])
    await row.getByRole('button', { name: 'Resume' }).click()
    await row.getByText('no consumer').waitFor()
    expect(broker.queues.list()).toMatchObject([{ paused: false }])

    await row.getByRole('button', { name: 'work/eu', exact: true }).click()
    const dialog = page.getByRole('dialog', { name: 'work/eu' })
    await dialog.getByText('<b>one</b>').waitFor()
    await dialog.getByRole('button', { name: 'Purge' }).click()
    // The safe answer has the focus.
    await page.keyboard.press('Enter')
    expect(broker.queues.list()).toMatchObject([{ length: 2 }])
    await dialog.getByRole('button', { name: 'Purge' }).click()
    await page.getByRole('dialog', { name: 'Purge work/eu?' }).getByRole('button', { name: 'Purge' }).click()
    await see(page, '.notice', '2 messages removed from work/eu.')
    expect(complaints).toEqual([])
  })

  it('shows dead letters beside the queue that they come from, and sends them back with one click', async () => {
    const { broker, url } = await start({ queue: { maxDeliveries: 1 } })
    const { mqtt: client } = await connectClient(broker.port, { protocolVersion: 5 })
    client.options.customHandleAcks = (_topic, _message, _packet, done) => done(null as never, 0x83)
    await client.subscribeAsync('queue/jobs', { qos: 1 })
    await broker.publish('queue/jobs', 'x', { qos: 1 })
    await until('it is a dead letter', () => broker.queues.list().some(({ name }) => name === 'dead/jobs'))
    await client.unsubscribeAsync('queue/jobs')
    // So that it is still there to be looked at.
    await broker.queues.pause('jobs')
    const { page, complaints } = await visit(`${url}/#queues`)
    await page.getByRole('button', { name: '1 dead letters of jobs' }).click()
    await page.getByRole('dialog', { name: 'dead/jobs' }).getByText('eventflow-dead-reason: max-deliveries').waitFor()
    await page.getByRole('button', { name: 'Close' }).click()
    await page.getByRole('button', { name: 'Redrive dead letters of jobs' }).click()
    await see(page, '.notice', '1 message sent back from dead/jobs.')
    expect(broker.queues.list()).toMatchObject([{ name: 'jobs', length: 1 }])
    expect(complaints).toEqual([])
  })

  it('tells of each queue how old its oldest message is and how fast it moves, the longest first if asked to', async () => {
    const { broker, url } = await start()
    await broker.publish('queue/a', 'x', { qos: 1 })
    for (let i = 0; i < 40; i++) await broker.publish('queue/b', 'x', { qos: 1 })
    const { page } = await visit(`${url}/#queues`)
    const row = page.getByRole('row').filter({ hasText: 'no consumer' }).filter({ hasText: '40' })
    await row
      .getByRole('cell')
      .filter({ hasText: /^\d+ s$/ })
      .waitFor()
    await row
      .locator('[data-name="In/s"]')
      .filter({ hasText: /^[\d.]*[1-9]/ })
      .waitFor()
    expect(await page.locator('#queues tbody .name').allTextContents()).toEqual(['a', 'b'])
    await page.getByLabel('Order').selectOption('longest first')
    await page.locator('#queues tbody tr:first-child .name', { hasText: 'b' }).waitFor()
  })

  it('deletes a queue when that is confirmed, and says why not', async () => {
    const { broker, url } = await start()
    await broker.publish('queue/old', 'x', { qos: 1 })
    const { mqtt: client } = await connectClient(broker.port)
    await client.subscribeAsync('queue/old')
    const { page } = await visit(`${url}/#queues`)
    await page.getByRole('button', { name: 'old', exact: true }).click()
    const sheet = page.getByRole('dialog', { name: 'old' })
    const remove = async () => {
      await sheet.getByRole('button', { name: 'Delete…' }).click()
      await page
        .getByRole('dialog', { name: 'Delete old?' })
        .getByRole('button', { name: 'Delete', exact: true })
        .click()
    }
    await remove()
    await see(page, '.notice.failed', 'subscribes to')
    // A paused queue stays when its consumer goes.
    await broker.queues.pause('old')
    await client.endAsync()
    await until('nobody consumes', () => broker.queues.list()[0]?.consumers === 0)
    await remove()
    await see(page, '.notice', 'old is deleted')
    expect(broker.queues.list()).toEqual([])
    await see(page, '#queues .empty pre', `mosquitto_pub -p ${broker.port} -q 1 -t queue/orders -m hello`)
  })

  it('finds clients, shows what they subscribe to, and disconnects them', async () => {
    const { broker, url } = await start()
    await connectClient(broker.port, { clientId: 'lamp' })
    const { mqtt: pump } = await connectClient(broker.port, { clientId: 'pump/7' })
    await pump.subscribeAsync('a/+')
    const closed = new Promise((resolve) => pump.once('close', () => resolve('closed')))
    const { page, complaints } = await visit(`${url}/#clients`)
    await page.getByRole('button', { name: 'lamp', exact: true }).waitFor()
    await page.getByRole('searchbox', { name: 'Search' }).fill('ump')
    await page.getByRole('button', { name: 'lamp', exact: true }).waitFor({ state: 'detached' })
    await page.getByRole('button', { name: 'pump/7', exact: true }).click()
    const dialog = page.getByRole('dialog', { name: 'pump/7' })
    await dialog.getByText('a/+').waitFor()
    await dialog.getByRole('button', { name: 'Kick' }).click()
    await page.getByRole('dialog', { name: 'Kick pump/7?' }).getByRole('button', { name: 'Kick', exact: true }).click()
    expect(await closed).toBe('closed')
    await see(page, '#clients .empty', 'No client with “ump”')
    expect(complaints).toEqual([])
  })

  it('shows sessions whose clients are away, and ends them when that is confirmed', async () => {
    const { broker, url } = await start()
    const { mqtt: client } = await connectClient(broker.port, { clientId: 'roamer', clean: false })
    await client.subscribeAsync('a', { qos: 1 })
    await client.endAsync()
    const { page } = await visit(`${url}/#clients`)
    await see(page, '#clients .empty', 'No client is connected')
    await page.getByLabel('Show').selectOption('all sessions')
    await see(page, '#clients .state', /away/)
    await page.getByRole('button', { name: 'roamer', exact: true }).click()
    const sheet = page.getByRole('dialog', { name: 'roamer' })
    await sheet.getByText('QoS 1').waitFor()
    await sheet.getByRole('button', { name: 'End session…' }).click()
    await page
      .getByRole('dialog', { name: 'End the session of roamer?' })
      .getByRole('button', { name: 'End session' })
      .click()
    await see(page, '.notice', 'The session of roamer has ended.')
    await see(page, '#clients .empty', 'There are no sessions.')
  })

  it('finds retained messages by a filter, shows them, and clears them when that is confirmed', async () => {
    const { broker, url } = await start()
    await broker.publish('plant/1/t', '21.5', { retain: true })
    await broker.publish('plant/2/t', Buffer.from([0xff, 1]), { retain: true })
    await broker.publish('other', 'x', { retain: true })
    const { page, complaints } = await visit(`${url}/#retained`)
    await page.getByRole('button', { name: 'other', exact: true }).waitFor()
    await page.getByRole('searchbox', { name: 'Filter' }).fill('plant/#/x')
    await see(page, '#retained .empty', 'cannot be read')
    await page.getByRole('searchbox', { name: 'Filter' }).fill('plant/+/t')
    await page.getByRole('button', { name: 'other', exact: true }).waitFor({ state: 'detached' })
    await see(page, '#retained td', 'ff 01')
    await page.getByRole('button', { name: 'plant/1/t', exact: true }).click()
    const sheet = page.getByRole('dialog', { name: 'plant/1/t' })
    await sheet.getByText('21.5').waitFor()
    await sheet.getByRole('button', { name: 'Clear…' }).click()
    await page
      .getByRole('dialog', { name: 'Clear plant/1/t?' })
      .getByRole('button', { name: 'Clear', exact: true })
      .click()
    await see(page, '.notice', 'is cleared')
    await page.getByRole('button', { name: 'plant/1/t', exact: true }).waitFor({ state: 'detached' })
    expect(complaints).toEqual([])
  })

  it('shows events of late and those that come: of areas, of a client, of a queue; and pauses', async () => {
    const { broker, url } = await start()
    await connectClient(broker.port, { clientId: 'before' })
    const { page } = await visit(`${url}/#events`)
    await see(page, '#log li', /client\.connected.*before/s)
    await see(page, '#events-state', 'Following')
    await connectClient(broker.port, { clientId: 'after' })
    await see(page, '#log li', /client\.connected.*after/s)
    expect(await textOf(page, '#log li:first-child')).toContain('after')

    await page.getByRole('button', { name: 'Pause' }).click()
    await connectClient(broker.port, { clientId: 'held' })
    await page.getByRole('button', { name: /Go on \(\d+ new\)/ }).click()
    await see(page, '#log li', /held/)

    await page.getByRole('searchbox', { name: 'Client' }).fill('hel')
    await page.locator('#log li', { hasText: 'after' }).first().waitFor({ state: 'detached' })
    await see(page, '#log li', /held/)
    await page.getByRole('searchbox', { name: 'Client' }).fill('')
    await see(page, '#log li', /after/)
    for (const name of ['message', 'queue']) await page.getByRole('checkbox', { name }).check()
    await see(page, '#events-state', 'Following')
    await broker.publish('some/topic', 'x')
    await see(page, '#log li', /message\.published.*some\/topic/s)
    await page.getByRole('searchbox', { name: 'Queue' }).fill('job')
    await page.locator('#log li', { hasText: 'some/topic' }).first().waitFor({ state: 'detached' })
    await see(page, '#events-state', 'Following')
    await broker.publish('other/topic', 'x')
    await broker.publish('queue/jobs', 'x')
    await see(page, '#log li', /queue\.enqueued.*jobs/s)
    expect(await page.locator('#log li', { hasText: 'other/topic' }).count()).toBe(0)
  })

  it('goes on after a cut of the stream, with no event twice or left out', async () => {
    const { broker, url } = await start()
    const { page } = await visit(`${url}/#events`)
    await see(page, '#events-state', 'Following')
    await connectClient(broker.port, { clientId: 'c-1' })
    await see(page, '#log li', 'c-1')
    // The stream fails while the rest goes on.
    await page.route('**/events/stream*', (route) => route.abort())
    await page.evaluate('history.replaceState(null, "", "#overview"); dispatchEvent(new Event("hashchange"))')
    await connectClient(broker.port, { clientId: 'c-2' })
    await page.evaluate('history.replaceState(null, "", "#events"); dispatchEvent(new Event("hashchange"))')
    await see(page, '#events-state', 'asking for it again')
    await connectClient(broker.port, { clientId: 'c-3' })
    await page.unroute('**/events/stream*')
    await see(page, '#log li', 'c-3')
    const ids = await page.locator('#log li', { hasText: 'client.connected' }).allTextContents()
    expect(ids.map((text) => /c-\d/.exec(text)![0])).toEqual(['c-3', 'c-2', 'c-1'])
    expect(await page.locator('#log .gap').count()).toBe(0)
  })

  it('publishes and subscribes as an MQTT client, with properties, and says why not', async () => {
    const { broker, url } = await start()
    const { mqtt: client, packets } = await connectClient(broker.port, { protocolVersion: 5 })
    await client.subscribeAsync('a/b', { qos: 1 })
    const { page, complaints } = await visit(`${url}/#console`)
    await page.locator('#subscribe-form').getByLabel('Filter').fill('a/#')
    await page.getByRole('button', { name: 'Subscribe', exact: true }).click()
    await page.getByRole('button', { name: 'Unsubscribe from a/#' }).waitFor()
    const form = page.locator('#publish-form')
    await form.getByLabel('Topic').fill('a/b')
    await form.getByLabel('Payload').fill('grüße')
    await form.getByRole('button', { name: 'Add a property' }).click()
    await form.getByLabel('Name of the property').fill('colour')
    await form.getByLabel('Value of the property').fill('red')
    await form.getByRole('button', { name: 'Publish' }).click()
    await see(page, '.notice.done', 'Published to a/b')
    await see(page, '#inbox li', /a\/b.*colour: red.*grüße/s)
    await until('the other client has it', () => packets.length > 0)
    expect(packets[0]!.properties?.userProperties).toEqual({ colour: 'red' })
    await client.publishAsync('a/c', 'there', { retain: true })
    await see(page, '#inbox li', 'there')
    await form.getByLabel('Topic').fill('$SYS/x')
    await form.getByRole('button', { name: 'Publish' }).click()
    await see(page, '.notice.failed', 'Not authorized')
    await page.getByRole('button', { name: 'Unsubscribe from a/#' }).click()
    await page.getByRole('button', { name: 'Unsubscribe from a/#' }).waitFor({ state: 'detached' })
    expect(complaints).toEqual([])
  })

  it('takes messages of a queue by hand: done, not now, never', async () => {
    const { broker, url } = await start({ queue: { backoff: { initial: '1h', max: '1h' } } })
    for (const payload of ['one', 'two', 'three', 'four']) await broker.publish('queue/jobs', payload, { qos: 1 })
    const { page, complaints } = await visit(`${url}/#queues`)
    await page.getByRole('button', { name: 'jobs', exact: true }).click()
    await page.getByRole('button', { name: 'Take by hand' }).click()
    const hand = page.locator('#hand')
    for (const [payload, answer] of [
      ['one', 'Done'],
      ['two', 'Not now'],
      ['three', 'Never'],
    ] as const) {
      await hand.locator('pre', { hasText: payload }).waitFor()
      await hand.getByRole('button', { name: answer }).click()
    }
    await hand.locator('pre', { hasText: 'four' }).waitFor()
    expect(broker.queues.list()).toMatchObject([
      { name: 'dead/jobs', length: 1 },
      { name: 'jobs', length: 2, inFlight: 1, resting: 1 },
    ])
    await page.getByRole('button', { name: 'Stop taking' }).click()
    await until('it is back', () => broker.queues.list()[1]!.ready === 1)
    expect(complaints).toEqual([])
  })

  it('asks who somebody is where the broker has users, for MQTT only', async () => {
    const passwordFile = join(await temporaryFolder(), 'passwords')
    await writeFile(passwordFile, `ada:${formatHash(await hashPassword(Buffer.from('secret'), 1_000))}\n`)
    const http = { port: 0, tokenFile: await tokenFile() }
    const access = { passwordFile, rules: [{ allow: ['publish', 'subscribe'], topics: ['#'] }] }
    const { url } = await start({ http, access })
    const { page } = await visit(`${url}/#console`)
    await signIn(page, READ)
    await page.locator('#subscribe-form').getByLabel('Filter').fill('a/#')
    await page.getByRole('button', { name: 'Subscribe', exact: true }).click()
    const dialog = page.getByRole('dialog', { name: 'Who are you?' })
    await dialog.getByLabel('User name').fill('ada')
    await dialog.getByLabel('Password').fill('wrong')
    await dialog.getByRole('button', { name: 'Connect' }).click()
    await dialog.getByText('does not know you').waitFor()
    await dialog.getByLabel('Password').fill('secret')
    await dialog.getByRole('button', { name: 'Connect' }).click()
    await page.getByRole('button', { name: 'Unsubscribe from a/#' }).waitFor()
  })

  it('asks for a token, keeps it for the tab only, and for more than it allows says no', async () => {
    const { broker, url } = await start({ http: { port: 0, tokenFile: await tokenFile() } })
    await broker.publish('queue/jobs', 'x', { qos: 1 })
    const { page, complaints } = await visit(`${url}/#queues`)
    await signIn(page, '0123456789abcdef-wrong')
    await see(page, '#token', 'not known')
    await page.keyboard.press('Escape')
    await signIn(page, READ)
    await page.getByRole('button', { name: 'Pause jobs' }).click()
    await see(page, '.notice.failed', 'role is operate')
    await page.reload()
    await page.getByRole('button', { name: 'Pause jobs' }).waitFor()
    expect(await page.evaluate('localStorage.length + document.cookie.length')).toBe(0)
    // Where the broker knows no users, the token stands for MQTT too.
    await page.getByRole('link', { name: 'Console' }).click()
    await page.locator('#subscribe-form').getByLabel('Filter').fill('a/#')
    await page.getByRole('button', { name: 'Subscribe', exact: true }).click()
    await see(page, '#console-state', 'There is no connection')
    await page.getByRole('link', { name: 'Queues' }).click()
    await page.getByRole('button', { name: 'Sign out' }).click()
    await signIn(page, OPERATE)
    await page.getByRole('button', { name: 'Pause jobs' }).click()
    await page.getByRole('button', { name: 'Resume jobs' }).waitFor()
    // The stream of events takes the token too.
    await page.getByRole('link', { name: 'Events' }).click()
    await see(page, '#events-state', 'Following')
    await page.getByRole('link', { name: 'Console' }).click()
    await page.locator('#subscribe-form').getByLabel('Filter').fill('a/#')
    await page.getByRole('button', { name: 'Subscribe', exact: true }).click()
    await see(page, '#console-state', 'Connected')
    expect(complaints).toEqual([])
  })

  it('shows what clients say as text, whatever it is', async () => {
    const { broker, url } = await start()
    const evil = '<img src=x onerror="alert(1)">'
    const { mqtt: client } = await connectClient(broker.port, { clientId: evil, username: evil, password: 'x' })
    await client.subscribeAsync([`queue/${evil}`, evil], { qos: 1 })
    await broker.queues.pause(evil)
    await client.publishAsync(`queue/${evil}`, evil, { qos: 1 })
    const { page, complaints } = await visit(`${url}/#clients`)
    await page.getByRole('button', { name: evil, exact: true }).click()
    await page.getByRole('dialog').getByText(evil).nth(1).waitFor()
    await page.getByRole('button', { name: 'Close' }).click()
    await page.getByRole('link', { name: 'Queues' }).click()
    await page.getByRole('button', { name: evil, exact: true }).click()
    await page.locator('#queue pre', { hasText: evil }).waitFor()
    await page.locator('#queue').getByRole('button', { name: 'Purge…' }).click()
    await page.locator('#confirm').getByRole('button', { name: 'Purge', exact: true }).click()
    await see(page, '.notice', evil)
    await page.getByRole('button', { name: 'Close' }).click()
    await page.getByRole('link', { name: 'Events' }).click()
    await see(page, '#log li', evil)
    expect(await page.locator('img[src=x]').count()).toBe(0)
    expect(complaints).toEqual([])
  })

  it('keeps the focus where it is while lists change, and is used without a mouse', async () => {
    const { broker, url } = await start()
    await broker.publish('queue/m', 'x', { qos: 1 })
    const { page } = await visit(url)
    await see(page, '#state', 'running')
    // It comes first, and is seen when it has the focus. A first Tab of our own may go to the browser's own buttons.
    await page.getByRole('link').first().focus()
    expect(await textOf(page, ':focus')).toBe('Skip to content')
    expect(await page.locator(':focus').boundingBox()).toMatchObject({ x: 8, y: 8 })
    for (let i = 0; i < 2; i++) await page.keyboard.press('Tab')
    expect(await textOf(page, ':focus')).toBe('Queues')
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'm', exact: true }).focus()
    await broker.publish('queue/a', 'x', { qos: 1 })
    await page.getByRole('button', { name: 'a', exact: true }).waitFor()
    expect(await textOf(page, ':focus')).toBe('m')
    await page.keyboard.press('Enter')
    await page.getByRole('dialog', { name: 'm' }).waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog', { name: 'm' }).waitFor({ state: 'hidden' })
    expect(await textOf(page, ':focus')).toBe('m')
  })

  it('fits a phone, in the dark too, and names every field and button', async () => {
    const { broker, url } = await start()
    await connectClient(broker.port, { clientId: 'c'.repeat(60) })
    await broker.publish('queue/jobs', 'x', { qos: 1 })
    const phone = { viewport: { width: 360, height: 700 }, colorScheme: 'dark' } as const
    const { page, complaints } = await visit(url, phone)
    await see(page, '#state', 'running')
    expect(await page.evaluate('getComputedStyle(document.body).backgroundColor')).not.toBe('rgb(246, 247, 249)')
    for (const view of ['Overview', 'Queues', 'Clients', 'Retained', 'Events', 'Console']) {
      const link = page.getByRole('link', { name: view })
      await link.click()
      await page.getByRole('heading', { name: view, level: 2 }).first().waitFor()
      expect(await link.getAttribute('aria-current')).toBe('page')
      expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), view).toBe(true)
    }
    await page.getByRole('link', { name: 'Queues' }).click()
    expect(await page.getByRole('cell').count()).toBe(11)
    const unnamed = `[...document.querySelectorAll('button, input, select, textarea')].filter((element) =>
      !(element.textContent.trim() || element.ariaLabel || element.labels?.[0]?.textContent.trim())).map((e) => e.outerHTML)`
    expect(await page.evaluate(unnamed)).toEqual([])
    expect(complaints).toEqual([])
  })

  describe('with axe-core', () => {
    it.each(['light', 'dark'] as const)(
      'keeps nobody out in %s: names, roles, contrast, focus',
      async (colorScheme) => {
        const { broker, url } = await start()
        const { mqtt: client } = await connectClient(broker.port, { clientId: 'lamp' })
        await client.subscribeAsync('a/#')
        for (const topic of ['queue/jobs', 'queue/dead/jobs']) await broker.publish(topic, 'x', { qos: 1 })
        await broker.publish('r', 'x', { retain: true })
        const { page } = await visit(url, { colorScheme, reducedMotion: 'reduce' })
        await see(page, '#state', 'running')
        // Not by a script element, which the Content-Security-Policy keeps out.
        await page.evaluate(await readFile(AXE, 'utf8'))
        const look = async (what: string) => {
          const { violations } = (await page.evaluate('axe.run()')) as {
            violations: Array<{ id: string; nodes: unknown[] }>
          }
          expect(violations.map(({ id, nodes }) => `${what}: ${id} ${JSON.stringify(nodes).slice(0, 600)}`)).toEqual([])
        }
        for (const view of ['Overview', 'Queues', 'Clients', 'Retained', 'Events', 'Console']) {
          await page.getByRole('link', { name: view }).click()
          await page.getByRole('heading', { name: view, level: 2 }).first().waitFor()
          await look(view)
        }
        for (const [view, name] of [
          ['Queues', 'jobs'],
          ['Clients', 'lamp'],
          ['Retained', 'r'],
        ] as const) {
          await page.getByRole('link', { name: view }).click()
          await page.getByRole('button', { name, exact: true }).click()
          await page.getByRole('dialog', { name }).waitFor()
          await look(name)
          await page.getByRole('button', { name: 'Close' }).click()
        }
      },
    )
  })
})
