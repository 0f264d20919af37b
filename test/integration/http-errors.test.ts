/** What goes wrong over HTTP, as programs see it: a problem of RFC 9457, whatever they send and wherever it fails. */

import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { startApi } from '../helpers/api.ts'
import { connectClient } from '../helpers/mqtt-client.ts'

/** Sends bytes as they are, and returns all that is answered. */
function raw(url: string, text: string): Promise<string> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  let answer = ''
  socket.on('data', (chunk) => (answer += chunk))
  socket.write(text)
  return new Promise((resolve) => socket.once('close', () => resolve(answer)))
}

/** Head and problem of an answer. */
function partsOf(answer: string) {
  const [head = '', body = ''] = answer.split('\r\n\r\n')
  return { head, problem: JSON.parse(body) as object }
}

const json = { 'content-type': 'application/json' }

describe('a request that cannot be served is told why', () => {
  it('where there is nothing', async () => {
    const { ask } = await startApi()
    for (const path of [
      '/nope',
      '/api/v1/nope',
      '/api/v2/queues',
      '/api/v1/queues/a/b',
      '/dashboard/%2e%2e/index.ts',
      '/%00',
    ]) {
      expect(await ask('GET', path)).toMatchObject({ status: 404, json: { code: 'PATH_UNKNOWN', title: 'Not found' } })
    }
  })

  it('by a method that there is not, with those that there are', async () => {
    const { url, ask } = await startApi()
    for (const [method, path, allowed] of [
      ['PUT', '/api/v1/queues', 'GET, HEAD'],
      ['OPTIONS', '/api/v1/publish', 'POST'],
      ['POST', '/api/v1/clients/c1', 'GET, DELETE, HEAD'],
      ['PATCH', '/api/v1/queues/a%2Fb', 'GET, DELETE, HEAD'],
      ['GET', '/api/v1/queues/jobs/purge', 'POST'],
      ['POST', '/health', 'GET, HEAD'],
      ['DELETE', '/metrics', 'GET, HEAD'],
    ] as const) {
      const answer = await ask(method, path)
      expect(answer).toMatchObject({ status: 405, json: { code: 'METHOD_UNKNOWN' } })
      expect([path, answer.headers.get('allow')]).toEqual([path, allowed])
    }
    const head = await fetch(`${url}/api/v1/queues`, { method: 'HEAD' })
    const stream = await fetch(`${url}/api/v1/events/stream`, { method: 'HEAD' })
    expect([stream.status, stream.headers.get('content-type'), await stream.text()]).toEqual([
      200,
      'text/event-stream',
      '',
    ])
    expect([head.status, head.headers.get('content-type'), await head.text()]).toEqual([
      200,
      'application/json; charset=utf-8',
      '',
    ])
  })

  it.each(['%zz', '%ff', '%', 'a%2'])('by a path that is no URL: %s', async (step) => {
    const { ask } = await startApi()
    for (const path of [`/api/v1/queues/${step}`, `/${step}`]) {
      expect(await ask('GET', path)).toMatchObject({ status: 400, json: { code: 'REQUEST_INVALID' } })
    }
  })

  it.each([
    ['FOO / HTTP/1.1\r\n\r\n', 400, 'METHOD_UNKNOWN'],
    ['GET /health HTTP/1.1\r\nHost: localhost\r\nx y: z\r\n\r\n', 400, 'REQUEST_INVALID'],
    ['\x16\x03\x01\x02\x00\x01\x00', 400, 'METHOD_UNKNOWN'], // TLS
    ['\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00', 400, 'METHOD_UNKNOWN'], // MQTT
    [`GET /health HTTP/1.1\r\nHost: localhost\r\nX-Large: ${'x'.repeat(20_000)}\r\n\r\n`, 431, 'HEADER_TOO_LARGE'],
  ])('in bytes that are no request: %j', async (bytes, status, code) => {
    const { url } = await startApi()
    const { head, problem } = partsOf(await raw(url, bytes))
    expect(head).toMatch(
      new RegExp(`^HTTP/1.1 ${status} .*\r\nConnection: close\r\nContent-Type: application/problem\\+json\r\n`),
    )
    expect(problem).toMatchObject({ status, code, type: 'about:blank' })
  })

  it('but not for want of a host name, which checks of health by HTTP/1.0 have not', async () => {
    const { url } = await startApi()
    expect(await raw(url, 'GET /health HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1.1 200 /)
    expect(await raw(url, 'GET /health HTTP/1.0\r\nHost: evil.example\r\n\r\n')).toMatch(/^HTTP\/1.1 421 /)
    expect(await raw(url, 'GET /health HTTP/1.0\r\nOrigin: http://evil.example\r\n\r\n')).toMatch(/^HTTP\/1.1 421 /)
  })

  it('with a query that is wrong, all of it at once, misspelt words too', async () => {
    const { get, post } = await startApi()
    const detail = (await get('/api/v1/queues?limit=0&after=x&serach=a')).json.detail
    expect(detail).toBe("query: there is no 'serach'; query.limit: must be >= 1")
    for (const query of ['limit=ten', 'limit=1&limit=2', 'limit=1001', 'limit=']) {
      expect(await get(`/api/v1/clients?${query}`)).toMatchObject({ status: 400, json: { code: 'REQUEST_INVALID' } })
    }
    expect(await post('/api/v1/queues/dead%2Fjobs/redrive?limt=5')).toMatchObject({ status: 400 })
    expect((await get('/api/v1/events?since=-1')).status).toBe(400)
  })

  it('with a body that is wrong', async () => {
    const { ask, post } = await startApi()
    const publish = (body: string, headers: Record<string, string> = json) =>
      ask('POST', '/api/v1/publish', { body, headers })
    for (const body of ['{bad', '', '[]', 'null', '"x"', '{"topic":"a","__proto__":{"x":1}}']) {
      expect(await publish(body)).toMatchObject({ status: 400, json: { code: 'REQUEST_INVALID' } })
    }
    expect(await ask('POST', '/api/v1/publish')).toMatchObject({ status: 400 })
    const latin1 = Buffer.from('{"topic":"a","payload":"\xfc"}', 'latin1')
    const mended = await ask('POST', '/api/v1/publish', { body: latin1, headers: json })
    expect(mended).toMatchObject({ status: 400, json: { detail: 'the body is no UTF-8' } })
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/xml',
    ]) {
      expect(await publish('{"topic":"a"}', { 'content-type': type })).toMatchObject({
        ...{ status: 415, json: { code: 'BODY_NOT_JSON' } },
      })
    }
    const huge = JSON.stringify({ topic: 'a', payload: 'x'.repeat(17 * 1024 * 1024) })
    expect(await publish(huge)).toMatchObject({ status: 413, json: { code: 'BODY_TOO_LARGE' } })
    expect(await post('/api/v1/queues/a/purge', { name: 'b' })).toMatchObject({
      status: 400,
      json: { code: 'REQUEST_INVALID' },
    })
  })

  it.each([
    [{}, "'topic' is missing"],
    [{ topic: 'a', payload: 5 }, 'body.payload: must be string'],
    [{ topic: 'a', qos: '1' }, 'body.qos: must be integer'],
    [{ topic: 'a', retain: 'true' }, 'body.retain: must be boolean'],
    [{ topic: 'a', color: 'red' }, "there is no 'color'"],
    [{ topic: 'a', payload: 'a%b=', encoding: 'base64' }, 'payload is no base64'],
    [{ topic: 'a', encoding: 'hex' }, 'must be one of utf8, base64'],
    [{ topic: 'a', expirySeconds: 0 }, 'must be >= 1'],
    [{ topic: 'a', correlationData: '*' }, 'correlationData is no base64'],
    [{ topic: 'a', contentType: 'a\0b' }, 'U+0000'],
    [{ topic: 'a', contentType: 'x'.repeat(65_536) }, 'longer than 65,535 bytes'],
    [{ topic: 'a', userProperties: [['a']] }, 'body.userProperties.0'],
    [{ topic: 'a', responseTopic: 'a/+' }, 'no wildcards'],
    [{ topic: 'a/#' }, 'no wildcards'],
    [{ topic: 'a\nb' }, 'no control characters'],
    [{ topic: '\ud800' }, 'no half characters'],
    [{ topic: '' }, 'at least one character'],
  ])('with a message that cannot be published: %j', async (body, detail) => {
    const { post } = await startApi()
    expect(await post('/api/v1/publish', body)).toMatchObject({
      status: 400,
      json: { detail: expect.stringContaining(detail) },
    })
  })
})

describe('POST /publish', () => {
  it('publishes with all that a client of MQTT 5.0 could give a message', async () => {
    const { broker, post } = await startApi()
    const { mqtt: client, packets, messages } = await connectClient(broker.port, { protocolVersion: 5 })
    await client.subscribeAsync('a/#', { qos: 2 })
    const answer = await post('/api/v1/publish', {
      ...{ topic: 'a/ü', payload: '/wA', encoding: 'base64', qos: 2, expirySeconds: 60 },
      ...{ contentType: 'x/y', responseTopic: 'r', correlationData: 'AQI=' },
      userProperties: [
        ['n', '1'],
        ['n', '2'],
      ],
    })
    expect(answer.status).toBe(204)
    await messages(1)
    expect(packets).toMatchObject([
      {
        ...{ topic: 'a/ü', payload: Buffer.from([0xff, 0]), qos: 2, retain: false },
        properties: {
          ...{ messageExpiryInterval: 60, contentType: 'x/y', responseTopic: 'r' },
          ...{ correlationData: Buffer.from([1, 2]), userProperties: { n: ['1', '2'] } },
        },
      },
    ])
  })

  it('puts messages into queues, with what queues make of user properties', async () => {
    const { get, post } = await startApi()
    const publish = (payload: string, ...userProperties: Array<[string, string]>) =>
      post('/api/v1/publish', { topic: 'queue/jobs', payload, qos: 1, userProperties })
    await publish('low')
    await publish('high', ['priority', '7'])
    await publish('later', ['delay', '60000'])
    for (const _ of [1, 2]) expect((await publish('once', ['dedup-id', '4711'])).status).toBe(204)
    const { items } = (await get('/api/v1/queues/jobs/messages')).json
    expect(items.map(({ payload, state }: Record<string, string>) => [payload, state])).toEqual([
      ['high', 'ready'],
      ['low', 'ready'],
      ['once', 'ready'],
      ['later', 'delayed'],
    ])
    const wrong = await post('/api/v1/publish', { topic: 'queue/jobs', qos: 1, userProperties: [['delay', 'soon']] })
    expect(wrong).toMatchObject({ status: 422, json: { code: expect.stringMatching(/^MQTT_0X/) } })
    expect(await post('/api/v1/publish', { topic: '$SYS/x' })).toMatchObject({ status: 422 })
  })
})

describe('names in paths', () => {
  const NAMES = ['dead/jobs', 'a b', '100%', 'ü/日本/🚰', '?&=#', "it's", 'a+b', '%2F', '..', './x', 'x'.repeat(2_000)]

  it.each(NAMES)('may be anything that MQTT lets them be: %s', async (name) => {
    const { broker, ask, get, post } = await startApi()
    const path = encodeURIComponent(name).replace(/^\.\.$/, '%2e%2e')
    const { mqtt: client } = await connectClient(broker.port, { clientId: name, protocolVersion: 5 })
    const asQueue = name.replace(/[+#]/g, '-')
    const queue = encodeURIComponent(asQueue)
    await broker.publish(`queue/${asQueue}`, 'x')
    await broker.publish(asQueue, 'x', { retain: true })
    if (name !== '..') {
      expect((await get(`/api/v1/clients/${path}`)).json).toMatchObject({ clientId: name })
      expect((await get(`/api/v1/queues/${queue}`)).json).toMatchObject({ name: asQueue, length: 1 })
      expect((await post(`/api/v1/queues/${queue}/purge`)).json).toEqual({ messages: 1 })
      expect((await ask('DELETE', `/api/v1/retained/${queue}`)).status).toBe(204)
      expect((await get('/api/v1/retained')).json.items).toEqual([])
      expect((await ask('DELETE', `/api/v1/clients/${path}`)).status).toBe(204)
    }
    const found = (await get(`/api/v1/sessions?search=${encodeURIComponent(name)}`)).json.items
    for (const { clientId } of found) expect(clientId).toBe(name)
    client.end(true)
  })
})
