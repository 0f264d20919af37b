/** HTTP as operators and their tools use it: over real sockets, beside real MQTT clients. */

import { chmod, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { describe, expect, it } from 'vitest'
import { startBroker, temporaryFolder } from '../helpers/broker.ts'
import { connectClient } from '../helpers/mqtt-client.ts'

type Json = Record<string, unknown> & { items: Array<Record<string, unknown>>; next: string | null }

interface Answer {
  status: number
  type: string | null
  headers: Headers
  json: Json
}

/** Asks until the answer is right: what MQTT changes, HTTP shows a moment later. */
async function eventually(isRight: () => Promise<boolean>): Promise<void> {
  while (!(await isRight())) await new Promise(setImmediate)
}

async function start(config: object = {}) {
  const broker = await startBroker({ http: { port: 0 }, ...config })
  const url = broker.httpUrl!
  const call = async (
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> => {
    const sent = body === undefined ? {} : { body: JSON.stringify(body) }
    const json = body === undefined ? {} : { 'content-type': 'application/json' }
    const answer = await fetch(`${url}${path}`, { method, headers: { ...json, ...headers }, ...sent })
    const text = await answer.text()
    const type = answer.headers.get('content-type')
    const parsed = /json/.test(type ?? '') ? JSON.parse(text) : { text }
    return { status: answer.status, type, headers: answer.headers, json: parsed as Json }
  }
  const get = (path: string, headers = {}): Promise<Answer> => call('GET', path, undefined, headers)
  return { broker, url, call, get }
}

describe('HTTP', () => {
  it('is not there unless a port is named', async () => {
    expect((await startBroker()).httpUrl).toBeNull()
  })

  it('says that the broker is healthy and ready, without a token', async () => {
    const { get } = await start()
    expect((await get('/health')).json).toEqual({ status: 'ok' })
    expect(await get('/ready')).toMatchObject({ status: 200, json: { status: 'ok' } })
  })

  it('tells what the broker is and how it does', async () => {
    const { broker, get } = await start()
    await connectClient(broker.port)
    await broker.publish('queue/jobs', 'x')
    const { json } = await get('/api/v1/overview')
    expect(json).toMatchObject({
      node: 'eventflow',
      listeners: [{ name: 'tcp', url: `mqtt://127.0.0.1:${broker.port}` }, { name: 'http' }],
      store: { kind: 'memory', fault: null },
      counters: { clientsConnected: 1 },
      rates: { connects: expect.any(Number), publishReceived: 0 },
      queues: { count: 1, messages: 1, inFlight: 0, rates: { in: expect.any(Number), out: 0 } },
    })
  })

  it('tells how many messages a second come and go, of each queue and in all', async () => {
    const { broker, get } = await start()
    const { mqtt: client } = await connectClient(broker.port)
    await client.subscribeAsync('queue/jobs', { qos: 1 })
    const isMoving = ({ rates }: Json) => Object.values(rates as object).every((rate) => rate > 0)
    await eventually(async () => {
      await client.publishAsync('queue/jobs', 'x', { qos: 1 })
      const { queues, rates } = (await get('/api/v1/overview')).json
      const [listed] = (await get('/api/v1/queues')).json.items as Json[]
      const shown = (await get('/api/v1/queues/jobs')).json
      const { publishReceived } = rates as { publishReceived: number }
      return [queues as Json, listed!, shown].every(isMoving) && publishReceived > 0
    })
  })

  it('shows clients and their subscriptions, and sends one away', async () => {
    const { broker, call, get } = await start()
    const { mqtt: client } = await connectClient(broker.port, { clientId: 'pump/7', protocolVersion: 5 })
    await client.subscribeAsync('a/+', { qos: 1 })
    const path = `/api/v1/clients/${encodeURIComponent('pump/7')}`
    expect((await get('/api/v1/clients?search=ump')).json.items).toMatchObject([
      { clientId: 'pump/7', connected: true, protocol: '5.0', subscriptions: 1 },
    ])
    expect((await get(path)).json).toMatchObject({ subscribed: [{ filter: 'a/+', qos: 1 }] })
    expect((await get('/api/v1/subscriptions')).json.items).toMatchObject([{ clientId: 'pump/7', filter: 'a/+' }])
    const reason = new Promise<number | undefined>((resolve) => client.once('disconnect', (p) => resolve(p.reasonCode)))
    expect((await call('DELETE', path)).status).toBe(204)
    expect(await reason).toBe(0x98)
    await eventually(async () => (await get('/api/v1/clients')).json.items.length === 0)
    expect(await call('DELETE', path)).toMatchObject({ status: 404, json: { code: 'CLIENT_UNKNOWN' } })
  })

  it('ends sessions, of clients that are away and of those that are there', async () => {
    const { broker, call, get } = await start()
    const lasting = { clean: false } as const
    const { mqtt: away } = await connectClient(broker.port, { clientId: 'away', ...lasting })
    await away.subscribeAsync('a', { qos: 1 })
    await away.endAsync()
    const { mqtt: there } = await connectClient(broker.port, { clientId: 'there', ...lasting })
    const closed = new Promise((resolve) => there.once('close', () => resolve(null)))
    await eventually(async () => (await get('/api/v1/sessions')).json.items.length === 2)
    expect((await get('/api/v1/sessions')).json.items).toMatchObject([
      { clientId: 'away', connected: false, disconnectedAt: expect.any(String) },
      { clientId: 'there', connected: true, disconnectedAt: null },
    ])
    expect((await call('DELETE', '/api/v1/sessions/away')).status).toBe(204)
    expect((await call('DELETE', '/api/v1/sessions/there')).status).toBe(204)
    await closed
    await eventually(async () => (await get('/api/v1/sessions')).json.items.length === 0)
    const { mqtt: again } = await connectClient(broker.port, { clientId: 'away', ...lasting })
    expect((await get('/api/v1/sessions')).json.items).toMatchObject([{ clientId: 'away', subscriptions: 0 }])
    await again.endAsync()
  })

  it('goes through pages that are right though the list changes', async () => {
    const { broker, get } = await start()
    for (const topic of ['a', 'c', 'e', 'g']) await broker.publish(topic, topic, { retain: true })
    const first = (await get('/api/v1/retained?limit=2')).json
    await broker.publish('b', 'b', { retain: true })
    await broker.publish('c', '', { retain: true })
    await broker.publish('d', 'd', { retain: true })
    const second = (await get(`/api/v1/retained?limit=3&after=${first.next}`)).json
    const topics = [...first.items, ...second.items].map(({ topic }) => topic)
    expect(topics).toEqual(['a', 'c', 'd', 'e', 'g'])
    expect(second.next).toBeNull()
  })

  it('looks at retained messages by a filter, binary ones too, and clears them', async () => {
    const { broker, call, get } = await start()
    await broker.publish('home/1/t', '21', { retain: true })
    await broker.publish('home/2/t', Buffer.from([0xff, 0]), { retain: true })
    await broker.publish('other', 'x', { retain: true })
    expect((await get(`/api/v1/retained?filter=${encodeURIComponent('home/+/t')}`)).json.items).toMatchObject([
      { topic: 'home/1/t', payload: '21', encoding: 'utf8' },
      { topic: 'home/2/t', payload: '/wA=', encoding: 'base64' },
    ])
    expect((await call('DELETE', `/api/v1/retained/${encodeURIComponent('home/1/t')}`)).status).toBe(204)
    expect((await get('/api/v1/retained')).json.items.map(({ topic }) => topic)).toEqual(['home/2/t', 'other'])
    expect(await get('/api/v1/retained?filter=a%23')).toMatchObject({ status: 400, json: { code: 'FILTER_INVALID' } })
  })

  it('publishes', async () => {
    const { broker, call } = await start()
    const got: string[] = []
    await broker.subscribe('a/b', (_topic, payload) => got.push(payload.toString('hex')))
    expect((await call('POST', '/api/v1/publish', { topic: 'a/b', payload: 'hi' })).status).toBe(204)
    const binary = { topic: 'a/b', payload: '/wA=', encoding: 'base64', qos: 1 }
    expect((await call('POST', '/api/v1/publish', binary)).status).toBe(204)
    expect(got).toEqual(['6869', 'ff00'])
    for (const wrong of [{ topic: 'a/#' }, { payload: 'x' }, { topic: 'a', qos: 3 }, { topic: 'a', extra: 1 }]) {
      expect(await call('POST', '/api/v1/publish', wrong)).toMatchObject({ status: 400 })
    }
    expect(await call('POST', '/api/v1/publish', { topic: '$SYS/x' })).toMatchObject({ status: 422 })
  })

  it('steers queues', async () => {
    const { broker, call, get } = await start()
    for (const payload of ['1', '2']) await broker.publish('queue/work/eu', payload, { qos: 1 })
    const path = `/api/v1/queues/${encodeURIComponent('work/eu')}`
    expect((await get('/api/v1/queues')).json.items).toMatchObject([{ name: 'work/eu', length: 2, paused: false }])
    expect((await call('POST', `${path}/pause`)).status).toBe(204)
    expect((await get(path)).json).toMatchObject({ paused: true, consumers: [], oldestAt: expect.any(String) })
    expect((await get(`${path}/messages?limit=1`)).json.items).toMatchObject([{ payload: '1', state: 'ready' }])
    expect((await call('POST', `${path}/resume`)).status).toBe(204)
    expect((await call('POST', `${path}/purge`)).json).toEqual({ messages: 2 })
    await call('POST', `${path}/pause`)
    expect((await call('DELETE', path)).json).toEqual({ messages: 0 })
    expect(await get(path)).toMatchObject({
      status: 404,
      type: expect.stringMatching('problem'),
      json: { code: 'QUEUE_UNKNOWN' },
    })
  })

  it('sends dead letters back', async () => {
    const { broker, call, get } = await start({ queue: { maxDeliveries: 1 } })
    const { mqtt: client } = await connectClient(broker.port, { protocolVersion: 5 })
    client.handleMessage = (_packet, done) => done()
    client.options.customHandleAcks = (_topic, _message, _packet, done) => done(null as never, 0x83)
    await client.subscribeAsync('queue/jobs', { qos: 1 })
    await broker.publish('queue/jobs', 'x', { qos: 1 })
    await eventually(async () => (await get('/api/v1/queues/dead%2Fjobs')).status === 200)
    await client.endAsync()
    expect((await call('POST', '/api/v1/queues/dead%2Fjobs/redrive')).json).toEqual({ moved: 1, left: 0 })
    expect((await get('/api/v1/queues/jobs')).json).toMatchObject({ length: 1 })
  })

  it('tells events of late, and streams those to come', async () => {
    const { broker, url, get } = await start()
    const stream = await fetch(`${url}/api/v1/events/stream?type=client.*`)
    expect(stream.headers.get('content-type')).toBe('text/event-stream')
    const reader = stream.body!.pipeThrough(new TextDecoderStream()).getReader()
    const { mqtt: client } = await connectClient(broker.port, { clientId: 'c1' })
    let text = ''
    while (!text.includes('client.connected')) text += (await reader.read()).value ?? ''
    const data = /^data: (.*)$/m.exec(text)![1]!
    expect(JSON.parse(data)).toMatchObject({ type: 'client.connected', data: { clientId: 'c1' } })
    await reader.cancel()
    await client.endAsync()
    const { items } = (await get('/api/v1/events?type=client.connected')).json
    expect(items).toMatchObject([{ type: 'client.connected', data: { clientId: 'c1' } }])
    const after = (await get(`/api/v1/events?type=client.connected&since=${Number(items[0]!.sequence)}`)).json
    expect(after.items).toEqual([])
    expect(await get('/api/v1/events?type=nothing')).toMatchObject({ status: 400, json: { code: 'EVENT_UNKNOWN' } })
  })

  it('tells an event once, however often its type is named', async () => {
    const { broker, url, get } = await start()
    const type = 'client.connected,client.*,client.connected'
    const stream = await fetch(`${url}/api/v1/events/stream?type=${type}`)
    for (const clientId of ['c1', 'c2']) await connectClient(broker.port, { clientId })
    const clients = (await get(`/api/v1/events?type=${type}`)).json.items.map(({ data }) => (data as Json).clientId)
    expect(clients).toEqual(['c1', 'c2'])
    const text = stream.text()
    await broker.stop()
    expect((await text).match(/^event: client\.connected$/gm)).toHaveLength(2)
  })

  it('tells a reader of the stream that comes back what it has missed', async () => {
    const { broker, url } = await start()
    let reads = 0
    /** Reads until there are so many events, and goes. */
    const read = async (count: number, headers = {}) => {
      const stream = await fetch(`${url}/api/v1/events/stream?type=queue.paused`, { headers })
      const reader = stream.body!.pipeThrough(new TextDecoderStream()).getReader()
      let text = ''
      const seen = () => [...text.matchAll(/^id: (.+)\nevent: queue.paused\ndata: .*"queue":"(\w+)".*\n\n/gm)]
      await broker.queues.pause(`next${++reads}`)
      for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
        text += piece.value
        if (seen().length >= count) break
      }
      await reader.cancel()
      return seen().map(([, id, queue]) => ({ id: id!, queue }))
    }
    const [first] = await read(1)
    for (const name of ['a', 'b']) await broker.queues.pause(name)
    const second = await read(3, { 'last-event-id': first!.id })
    expect(second.map(({ queue }) => queue)).toEqual(['a', 'b', 'next2'])
    const afterRestart = await read(5, { 'last-event-id': '1-999' })
    expect(afterRestart.map(({ queue }) => queue)).toEqual(['next1', 'a', 'b', 'next2', 'next3'])
    expect(await read(1, { 'last-event-id': afterRestart.at(-1)!.id })).toMatchObject([{ queue: 'next4' }])
  })

  it('lists the longest queues first, with the age of the oldest message and the dead letters of each', async () => {
    const { broker, get } = await start({ queue: { maxDeliveries: 1 } })
    for (const name of ['a', 'b', 'b', 'dead/a']) await broker.publish(`queue/${name}`, 'x', { qos: 1 })
    expect((await get('/api/v1/queues?sort=length&limit=2')).json).toMatchObject({
      items: [
        { name: 'b', length: 2, oldestAt: expect.any(String), deadLetters: { name: 'dead/b', length: 0 } },
        { name: 'a', length: 1, deadLetters: { name: 'dead/a', length: 1 } },
      ],
      next: null,
    })
    expect((await get('/api/v1/queues?search=dead')).json.items).toMatchObject([{ name: 'dead/a', deadLetters: null }])
  })

  it('tells as much of payloads as is asked for, whole characters of text', async () => {
    const { broker, get } = await start()
    await broker.publish('queue/a', 'aä€', { qos: 1 })
    await broker.publish('r', Buffer.from([1, 0xff, 3]), { retain: true })
    const payloads = (limit: number) => get(`/api/v1/queues/a/messages?payloadLimit=${limit}`)
    for (const [limit, payload] of ['', 'a', 'a', 'aä', 'aä', 'aä', 'aä€', 'aä€'].entries()) {
      expect((await payloads(limit)).json.items).toMatchObject([{ payload, encoding: 'utf8', bytes: 6 }])
    }
    expect((await get('/api/v1/retained?payloadLimit=2')).json.items).toMatchObject([
      { payload: Buffer.from([1, 0xff]).toString('base64'), encoding: 'base64', bytes: 3 },
    ])
  })

  it('streams events of some clients and queues, of late ones first, and goes on where a reader was cut off', async () => {
    const { broker, url, get } = await start()
    const clients = ['pump-1', 'lamp-1', 'pump-2', 'pump-3']
    for (const clientId of clients) await connectClient(broker.port, { clientId })
    await broker.publish('queue/eu/jobs', 'x')
    const read = async (query: string, count: number, lastEventId = '') => {
      const stop = new AbortController()
      const headers = { 'last-event-id': lastEventId }
      const { body } = await fetch(`${url}/api/v1/events/stream?${query}`, { headers, signal: stop.signal })
      const reader = body!.pipeThrough(new TextDecoderStream()).getReader()
      let text = ''
      while (text.split('\n\n').length <= count) text += (await reader.read()).value ?? ''
      stop.abort()
      return text.split('\n\n').slice(0, count)
    }
    const connected = 'type=client.connected&client=pump'
    const [opened, second, third] = await read(`${connected}&recent=2`, 3)
    expect(opened).toBe(': events follow')
    expect([second, third]).toEqual([expect.stringContaining('pump-2'), expect.stringContaining('pump-3')])
    const [, id] = /^id: (.*)$/m.exec(second!)!
    expect(await read(connected, 2, id)).toEqual(['event: resumed\ndata: {"complete":true}', third])
    // Of another run of the broker: all that there is of this one.
    expect((await read(connected, 4, '1-99')).slice(1)).toEqual(
      ['1', '2', '3'].map((n) => expect.stringContaining(`pump-${n}`)),
    )
    // Events of messages are not kept, so nobody knows.
    expect(await read('type=message.*', 1, id)).toEqual(['event: resumed\ndata: {"complete":false}'])
    expect((await get('/api/v1/events?queue=eu')).json.items).toMatchObject([{ type: 'queue.created' }])
  })

  it('ends streams when the broker stops, which does not wait for them', async () => {
    const { broker, url } = await start()
    const stream = await fetch(`${url}/api/v1/events/stream`)
    const ended = stream.text()
    await broker.stop()
    expect(await ended).toContain('broker.stopping')
  })

  it('gives metrics that Prometheus reads', async () => {
    const { broker, get } = await start()
    await connectClient(broker.port)
    await broker.publish('queue/jobs', 'x')
    const { json, type } = await get('/metrics')
    const text = String(json.text)
    expect(type).toMatch('text/plain; version=0.0.4')
    expect(text).toContain('\neventflow_connected_clients 1\n')
    expect(text).toContain('\neventflow_queue_messages{queue="jobs",state="ready"} 1\n')
    expect(text).toContain('\neventflow_store_writable 1\n')
    expect(text).toMatch(/\nnodejs_eventloop_lag_seconds [\d.e-]+\n/)
    const buckets = [...text.matchAll(/^eventflow_store_commit_duration_seconds_bucket\{le="(.+)"\} (\d+)$/gm)]
    expect([buckets[0]![1], buckets.at(-2)![1], buckets.at(-1)![1]]).toEqual(['0.00005', '10', '+Inf'])
    const [count] = /(?<=^eventflow_store_commit_duration_seconds_count )\d+$/m.exec(text)!
    expect(buckets.at(-1)![2]).toBe(count)
    expect(Number(count)).toBeGreaterThan(0)
    expect(text).toMatch(/^eventflow_store_commit_duration_seconds_sum [\d.e-]+$/m)
    for (const line of text.trim().split('\n')) {
      expect(line).toMatch(/^(# (HELP|TYPE) |$|[a-z0-9_]+(\{[^}]*\})? [-+\d.eNaInf]+$)/)
    }
  })

  it('describes all that it answers', async () => {
    const { get } = await start()
    const { json } = await get('/api/v1/openapi.json')
    const paths = json.paths as Record<string, { get?: { responses: Record<string, { content: object }> } }>
    const ajv = new Ajv2020({ strict: false })
    for (const path of ['overview', 'clients', 'sessions', 'subscriptions', 'queues', 'retained', 'events', 'config']) {
      const described = paths[`/api/v1/${path}`]!.get!.responses['200']!.content as Record<string, { schema: object }>
      const answer = await get(`/api/v1/${path}`)
      expect(ajv.validate(described['application/json']!.schema, answer.json), JSON.stringify(ajv.errors)).toBe(true)
    }
  })
})

describe('HTTP keeps out', () => {
  it('pages of other sites: other origins, names that were made to point here, and forms', async () => {
    const { broker, url, get } = await start()
    expect(await get('/api/v1/config', { origin: 'http://evil.example' })).toMatchObject({ status: 403 })
    const rebound = await new Promise<number | undefined>((resolve) => {
      const headers = { host: 'evil.example' }
      request(`${url}/api/v1/config`, { headers }, (answer) => resolve(answer.resume().statusCode)).end()
    })
    expect(rebound).toBe(421)
    const form = await fetch(`${url}/api/v1/publish`, {
      ...{ method: 'POST', body: '{"topic":"a","payload":"x","retain":true}' },
      headers: { 'content-type': 'text/plain' },
    })
    expect(form.status).toBe(415)
    expect(broker.listeners).toHaveLength(1)
  })

  it('frames', async () => {
    const { get } = await start()
    const { headers } = await get('/health')
    expect(headers.get('x-frame-options')).toBe('DENY')
    expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'")
  })

  it('whoever has no token, and of those who have one whoever may not', async () => {
    const folder = await temporaryFolder()
    const tokenFile = join(folder, 'tokens')
    await writeFile(tokenFile, '# people\ngrafana read 0123456789abcdef-read\n\nada operate 0123456789abcdef-operate\n')
    await chmod(tokenFile, 0o600)
    const { call, get } = await start({ http: { port: 0, tokenFile } })
    const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
    expect((await get('/ready')).status).toBe(200)
    for (const path of ['/api/v1/overview', '/metrics']) {
      const none = await get(path)
      expect(none).toMatchObject({ status: 401, json: { code: 'TOKEN_MISSING' } })
      expect(none.headers.get('www-authenticate')).toBe('Bearer') // RFC 9110, 11.6.1
      expect((await get(path, bearer('0123456789abcdef-wrong'))).status).toBe(401)
      expect((await get(path, bearer('0123456789abcdef-read'))).status).toBe(200)
    }
    const publish = (token: string) => call('POST', '/api/v1/publish', { topic: 'a' }, bearer(token))
    expect(await publish('0123456789abcdef-read')).toMatchObject({ status: 403, json: { code: 'ROLE_INSUFFICIENT' } })
    expect((await publish('0123456789abcdef-operate')).status).toBe(204)
    const config = JSON.stringify((await get('/api/v1/config', bearer('0123456789abcdef-read'))).json)
    expect(config).not.toContain('0123456789abcdef')
  })

  it('who had a token, once the file has another', async () => {
    const tokenFile = join(await temporaryFolder(), 'tokens')
    await writeFile(tokenFile, 'ada operate 0123456789abcdef-old\n')
    const { broker, get } = await start({ http: { port: 0, tokenFile } })
    const status = async (token: string) => (await get('/api/v1/overview', { authorization: `Bearer ${token}` })).status
    expect(await status('0123456789abcdef-old')).toBe(200)
    await writeFile(tokenFile, 'ada operate 0123456789abcdef-new\n')
    await broker.reload()
    expect([await status('0123456789abcdef-old'), await status('0123456789abcdef-new')]).toEqual([401, 200])
    await writeFile(tokenFile, 'ada\n')
    await expect(broker.reload()).rejects.toMatchObject({ code: 'ACCESS_FILE_INVALID' })
    expect(await status('0123456789abcdef-new')).toBe(200)
  })

  it('everyone while the broker has rules, but HTTP has no tokens', async () => {
    const { get } = await start({ access: { rules: [{ allow: 'publish', topics: ['a'] }] } })
    expect((await get('/health')).status).toBe(200)
    expect(await get('/api/v1/overview')).toMatchObject({ status: 401, json: { code: 'TOKENS_MISSING' } })
  })

  it.each([
    ['ada operate short\n', 1],
    ['# fine\nada admin 0123456789abcdef\n', 2],
    ['ada operate 0123456789abcdef and more\n', 1],
  ])('nobody by a broken token file: %j', async (text, line) => {
    const tokenFile = join(await temporaryFolder(), 'tokens')
    await writeFile(tokenFile, text)
    const error = await startBroker({ http: { port: 0, tokenFile } }).catch((error: Error) => error)
    expect(error).toMatchObject({ code: 'ACCESS_FILE_INVALID', message: expect.stringContaining(`line ${line}`) })
    expect(String(error)).not.toContain('0123456789abcdef')
  })

  it('all but this machine, unless there are tokens', async () => {
    const error = await startBroker({ http: { port: 0, host: '0.0.0.0' } }).catch((error: Error) => error)
    expect(error).toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining('http.host') })
  })
})
