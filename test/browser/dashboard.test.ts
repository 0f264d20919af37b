/**
 * The dashboard as a person uses it: in Chromium (Debian's package `chromium`), against a running broker and MQTT clients. Where there
 * is no Chromium the tests are skipped; EVENTFLOW_CHROMIUM names one that is elsewhere.
 */

import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { EVENT_TYPES } from '../../src/core/event-types.ts'
import { startBroker, temporaryFolder } from '../helpers/broker.ts'
import { connectClient } from '../helpers/mqtt-client.ts'

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
    const expected = /status of (401|403|404|422)/.test(message.text())
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
    await see(page, '#state', 'does not answer')
    await start({ http: { port: Number(new URL(url).port) } })
    await see(page, '#state', 'running')
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

  it('sends dead letters back when that is confirmed', async () => {
    const { broker, url } = await start({ queue: { maxDeliveries: 1 } })
    const { mqtt: client } = await connectClient(broker.port, { protocolVersion: 5 })
    client.options.customHandleAcks = (_topic, _message, _packet, done) => done(null as never, 0x83)
    await client.subscribeAsync('queue/jobs', { qos: 1 })
    await broker.publish('queue/jobs', 'x', { qos: 1 })
    const { page } = await visit(`${url}/#queues`)
    await page.getByRole('button', { name: 'dead/jobs', exact: true }).click()
    await client.endAsync()
    await page.getByRole('button', { name: 'Redrive' }).click()
    await page.getByRole('dialog', { name: 'Redrive dead/jobs?' }).getByRole('button', { name: 'Redrive' }).click()
    await see(page, '.notice', '1 sent back from dead/jobs, 0 left there.')
    expect(broker.queues.list()).toMatchObject([{ name: 'jobs', length: 1 }])
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
    await see(page, '#clients .empty', 'No clients with “ump”.')
    expect(complaints).toEqual([])
  })

  it('shows events of late and those that come, of chosen areas, and holds them', async () => {
    const { broker, url } = await start()
    await connectClient(broker.port, { clientId: 'before' })
    const { page } = await visit(`${url}/#events`)
    await see(page, '#log li', /client\.connected.*before/s)
    await see(page, '#events-state', 'Following')
    await connectClient(broker.port, { clientId: 'after' })
    await see(page, '#log li', /client\.connected.*after/s)
    expect(await textOf(page, '#log li:first-child')).toContain('after')

    await page.getByRole('button', { name: 'Hold' }).click()
    await connectClient(broker.port, { clientId: 'held' })
    await page.getByRole('button', { name: /Go on \(\d+\)/ }).click()
    await see(page, '#log li', /held/)

    await page.getByRole('checkbox', { name: 'message' }).check()
    await see(page, '#events-state', 'Following')
    await broker.publish('some/topic', 'x')
    await see(page, '#log li', /message\.published.*some\/topic/s)
    await page.getByRole('checkbox', { name: 'client' }).uncheck()
    await page.locator('#log strong', { hasText: 'client.connected' }).first().waitFor({ state: 'detached' })
  })

  it('publishes, and says why not', async () => {
    const { broker, url } = await start()
    const got: string[] = []
    await broker.subscribe('a/b', (_topic, payload) => got.push(payload.toString()))
    const { page } = await visit(`${url}/#publish`)
    await page.getByLabel('Topic').fill('a/b')
    await page.getByLabel('Payload').fill('grüße')
    await page.getByLabel('QoS').selectOption('1')
    await page.getByRole('button', { name: 'Publish' }).click()
    await see(page, '.notice.done', 'Published to a/b.')
    expect(got).toEqual(['grüße'])
    await page.getByLabel('Topic').fill('a/#')
    await page.getByRole('button', { name: 'Publish' }).click()
    await page.locator('.notice.failed').waitFor()
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
    await page.getByRole('button', { name: 'Sign out' }).click()
    await signIn(page, OPERATE)
    await page.getByRole('button', { name: 'Pause jobs' }).click()
    await page.getByRole('button', { name: 'Resume jobs' }).waitFor()
    // The stream of events takes the token too.
    await page.getByRole('link', { name: 'Events' }).click()
    await see(page, '#events-state', 'Following')
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
    await page.getByRole('button', { name: 'Purge' }).click()
    await page.getByRole('button', { name: 'Purge', exact: true }).click()
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
    const phone = { viewport: { width: 380, height: 700 }, colorScheme: 'dark' } as const
    const { page, complaints } = await visit(url, phone)
    await see(page, '#state', 'running')
    expect(await page.evaluate('getComputedStyle(document.body).backgroundColor')).not.toBe('rgb(246, 247, 249)')
    for (const view of ['Overview', 'Queues', 'Clients', 'Events', 'Publish']) {
      const link = page.getByRole('link', { name: view })
      await link.click()
      await page.getByRole('heading', { name: view, level: 2 }).waitFor()
      expect(await link.getAttribute('aria-current')).toBe('page')
      expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), view).toBe(true)
    }
    await page.getByRole('link', { name: 'Queues' }).click()
    expect(await page.getByRole('cell').count()).toBe(8)
    const unnamed = `[...document.querySelectorAll('button, input, select, textarea')].filter((element) =>
      !(element.textContent.trim() || element.ariaLabel || element.labels?.[0]?.textContent.trim())).map((e) => e.outerHTML)`
    expect(await page.evaluate(unnamed)).toEqual(['<button type="button" class="yes danger"></button>'])
    expect(complaints).toEqual([])
  })
})
