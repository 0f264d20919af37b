import { describe, expect, it } from 'vitest'
import { resolveConfig } from '../../../src/config/load.ts'
import { listOptions } from '../../../src/config/options.ts'
import type { ConfigInput } from '../../../src/config/schema.ts'

/** The problems that `input` has, one string each. */
function problems(input: unknown): string[] {
  try {
    resolveConfig(input as ConfigInput)
    return []
  } catch (error) {
    return (error as Error).message.split('\n')
  }
}

const withUsers = (rules: unknown[]) => ({ access: { passwordFile: 'passwords', rules } })

describe('options of a program', () => {
  it('are all there by default', () => {
    const config = resolveConfig()
    const own = { maxPacketSize: null, messageRate: null, byteRate: null, maxConnections: null, authenticators: null }
    const tcp = { host: '127.0.0.1', port: 1883, ...own, proxyProtocol: [] }
    expect(config.listeners).toEqual({ tcp, tls: null, ws: null, wss: null, unix: null })
    expect(config.queue).toEqual({
      prefetch: 16,
      ackTimeout: 60_000,
      maxDeliveries: 5,
      backoff: { initial: 1000, max: 60_000 },
      expired: 'drop',
      deadLetter: 'dead/%q',
      maxLength: null,
      maxBytes: null,
      overflow: 'reject',
      dedupWindow: 300_000,
      exclusive: 'none',
      policies: [],
    })
  })

  it('stay as they are when they are resolved again', () => {
    const config = resolveConfig({ session: { maxQueuedBytes: '3KB', maxExpiry: '2h' } })
    expect(resolveConfig(config)).toEqual(config)
  })

  it('have one line of meaning and a variable each', () => {
    for (const { path, meaning } of listOptions()) expect(meaning, path).toMatch(/^[^\n]+\.$/)
    const variables = listOptions().map(({ variable }) => variable)
    expect(new Set(variables).size).toBe(variables.length)
    expect(variables).toContain('EVENTFLOW_SESSION_MAX_QUEUED_BYTES')
  })
})

describe('durations and sizes', () => {
  it.each([
    [1500, 1500],
    ['500ms', 500],
    ['10s', 10_000],
    ['5m', 300_000],
    ['2h', 7_200_000],
    ['1d', 86_400_000],
  ])('a duration of %s is %d milliseconds', (given, milliseconds) => {
    expect(resolveConfig({ shutdownTimeout: given }).shutdownTimeout).toBe(milliseconds)
  })

  it.each([
    [100, 100],
    ['100B', 100],
    ['64KB', 65_536],
    ['64kb', 65_536],
    ['10MB', 10_485_760],
    ['1GB', 1_073_741_824],
  ])('a size of %s is %d bytes', (given, bytes) => {
    expect(resolveConfig({ session: { maxQueuedBytes: given } }).session.maxQueuedBytes).toBe(bytes)
  })

  it.each(['10', '10 s', '1.5h', '-1s', 's', '', '10 parsecs', '1constructor', -1, 1.5, Number.NaN, null, true, '25d'])(
    'a duration of %s is refused',
    (given) => {
      expect(problems({ mqtt: { connectTimeout: given } })).toEqual([
        expect.stringContaining('mqtt.connectTimeout: expected a duration from 1ms to 24d'),
      ])
    },
  )

  it('no packet may be larger than MQTT can say', () => {
    expect(resolveConfig({ mqtt: { maxPacketSize: 268_435_460 } }).mqtt.maxPacketSize).toBe(268_435_460)
    expect(problems({ mqtt: { maxPacketSize: 268_435_461 } })).toEqual([
      'mqtt.maxPacketSize: expected a size from 1 to 268435460: bytes as a number, or text such as 64KB, 10MB, 1GB, found 268435461',
    ])
  })

  it('a session may outlive its connection for ever, for a while or not at all', () => {
    for (const [given, expected] of [['never', 'never'] as const, ['1d', 86_400_000] as const, [0, 0] as const]) {
      expect(resolveConfig({ session: { maxExpiry: given } }).session.maxExpiry).toBe(expected)
    }
    expect(problems({ session: { maxExpiry: 'sometimes' } })[0]).toContain('expected never, or a duration')
  })
})

describe('values that are not allowed', () => {
  it.each([
    [
      { node: 'two words' },
      'node: expected a name of letters, digits, dots, dashes and underscores, found "two words"',
    ],
    [
      { listeners: { tcp: { port: 65_536 } } },
      'listeners.tcp.port: expected a whole number from 0 to 65535, found 65536',
    ],
    [{ http: { port: '80' } }, 'http.port: expected a whole number from 0 to 65535, or null, found "80"'],
    [{ store: { kind: 'paper' } }, 'store.kind: expected one of level, memory, found "paper"'],
    [{ store: 'level' }, 'store: expected a group of options, found "level"'],
    [{ access: null }, 'access: expected a group of options, found null'],
    [{ http: null }, 'http: expected a group of options, found null'],
    [{ listeners: null }, 'listeners: expected a group of options, found null'],
    [{ status: { topic: 'status' } }, 'status.topic: expected a topic name that begins with $eventflow/'],
    [{ status: { topic: '$eventflow/' } }, 'status.topic: expected a topic name that begins with $eventflow/'],
    [
      { status: { topic: '$eventflow/receipts/me' } },
      'status.topic: expected a topic name that begins with $eventflow/ ($eventflow/receipts/ has other messages), found "$eventflow/receipts/me"',
    ],
    [{ status: { topic: '$eventflow/events' } }, 'status.topic: expected a topic name that begins with $eventflow/'],
    [{ status: { file: {} } }, 'status.file.path: expected the path of a file'],
    [{ status: { file: { path: 'x', types: [] } } }, 'status.file.types: expected a list of areas'],
    [
      { status: { file: { path: 'x', types: ['client', 'queue.lost'] } } },
      'status.file.types[1]: expected an area (client) or an event (client.connected)',
    ],
    [{ status: { topic: '$eventflow/+' } }, 'status.topic: expected a topic name that begins with $eventflow/'],
    [{ queue: { backoff: { initial: '2m' } } }, 'queue.backoff.max: expected no less than queue.backoff.initial'],
    ['nothing but text', 'expected a group of options, found "nothing but text"'],
  ])('%o', (input, problem) => {
    expect(problems(input)).toEqual([expect.stringContaining(problem)])
  })

  it('are told all at once, one line each', () => {
    const found = problems({
      prefetch: 3,
      listeners: { tcp: { host: '0.0.0.0', port: 'mqtt' } },
      session: { maxQueud: 1, maxInflight: 0 },
    })
    expect(found.map((line) => line.split(':')[0])).toEqual([
      'listeners.tcp.port',
      'session.maxInflight',
      'session.maxQueud',
      'prefetch',
      'listeners.tcp.host',
    ])
  })

  it('are shown cut short, and not at all when they may be secret', () => {
    expect(problems({ node: 'x'.repeat(5000) })[0]!.length).toBeLessThan(200)
    expect(problems({ access: { passwordFile: ['s3cret'] } })[0]).not.toContain('s3cret')
  })
})

describe('access', () => {
  it.each(['127.0.0.1', '127.8.8.8', '::1', '0:0:0:0:0:0:0:1', 'localhost', 'LOCALHOST'])(
    'without users the broker may listen on %s',
    (host) => {
      expect(problems({ listeners: { tcp: { host } } })).toEqual([])
    },
  )

  it.each(['0.0.0.0', '::', '192.168.1.2', 'broker.example', '127.0.0.1.example', '127.1'])(
    'without users it may not listen on %s, with users it may',
    (host) => {
      expect(problems({ listeners: { tcp: { host } } })[0]).toMatch(
        /^listeners\.tcp\.host: .*without users the broker listens on loopback only; name a password file in access\.passwordFile/,
      )
      expect(problems({ listeners: { tcp: { host } }, ...withUsers([]) })).toEqual([])
    },
  )

  it.each([
    [{ operators: 'ada' }, 'access.roles.operators: expected a list of names of users'],
    [{ operators: ['ada', ''] }, 'access.roles.operators[1]: expected the name of a user'],
    [['ada'], 'access.roles: expected lists of names of users, by role'],
  ])('refuses the roles %o', (roles, problem) => {
    expect(problems({ access: { roles } })).toEqual([expect.stringContaining(problem)])
  })

  it('takes rules for a user, a role or everyone', () => {
    const rules = [
      { allow: 'publish', topics: ['sensors/%c/#'] },
      { deny: ['publish', 'subscribe'], user: 'ada', topics: ['#', 'a/+/b'] },
      { allow: 'subscribe', role: 'operators', topics: ['$eventflow/#', '$queue/a'] },
    ]
    expect(problems(withUsers(rules))).toEqual([])
  })

  it.each([
    [{ topics: ['a'] }, 'access.rules[0]: expected either allow or deny'],
    [{ allow: 'publish', deny: 'publish', topics: ['a'] }, 'access.rules[0]: expected either allow or deny'],
    [{ allow: 'read', topics: ['a'] }, 'access.rules[0].allow: expected publish, subscribe or a list of them'],
    [{ allow: [], topics: ['a'] }, 'access.rules[0].allow: expected publish, subscribe or a list of them'],
    [{ allow: 'publish', topics: [] }, 'access.rules[0].topics: expected at least one topic filter'],
    [{ allow: 'publish', topics: 'a' }, 'access.rules[0].topics: expected a list of topic filters'],
    [{ allow: 'publish' }, 'access.rules[0].topics: expected a list of topic filters, found nothing'],
    [{ allow: 'publish', topics: ['a#'] }, 'access.rules[0].topics[0]: expected a topic filter (# stands alone'],
    [{ allow: 'publish', topics: ['$share/g/a'] }, 'rules are about the filter behind $share/<group>/'],
    [{ deny: 'publish', topics: ['$delayed/#'] }, 'rules are about the topic behind $delayed/<seconds>/'],
    [{ allow: 'publish', topics: ['a'], who: 'x' }, 'access.rules[0].who: no such option'],
    [{ allow: 'publish', topics: ['a'], user: 'x', role: 'y' }, 'access.rules[0]: expected a user or a role, not both'],
    ['allow', 'access.rules[0]: expected a rule'],
  ])('refuses the rule %o', (rule, problem) => {
    expect(problems(withUsers([rule]))).toEqual([expect.stringContaining(problem)])
  })
})

describe('listeners', () => {
  const tls = { cert: 'cert.pem', key: 'key.pem' }

  it('are off but for TCP, and have their usual ports when they are on', () => {
    const { listeners } = resolveConfig({ listeners: { tls, ws: {}, wss: tls, unix: { path: 'mqtt.sock' } } })
    const { tcp, ws, wss, unix } = listeners
    expect([tcp.port, listeners.tls!.port, ws!.port, wss!.port]).toEqual([1883, 8883, 8083, 8084])
    const own = { maxPacketSize: null, messageRate: null, byteRate: null, maxConnections: null, authenticators: null }
    expect(unix).toEqual({ path: 'mqtt.sock', mode: '0660', ...own })
  })

  it.each(['tls', 'ws', 'wss'] as const)('without users %s may listen on loopback only', (name) => {
    const given = { listeners: { [name]: { ...(name === 'ws' ? {} : tls), host: '0.0.0.0' } } }
    expect(problems(given)[0]).toMatch(new RegExp(`^listeners\\.${name}\\.host: expected a loopback address`))
    expect(problems({ ...given, ...withUsers([]) })).toEqual([])
  })

  it('clients that certificates name are users', () => {
    const secured = { ...tls, host: '0.0.0.0', ca: 'ca.pem', clientCertificate: 'require' }
    expect(problems({ listeners: { tls: secured }, access: { certificateUser: 'cn' } })).toEqual([])
  })

  it('those with tokens, and whom a server knows, are users; nobody needs to be where a listener says so', () => {
    const listeners = { tcp: { host: '0.0.0.0' } }
    expect(problems({ listeners, jwt: { jwksFile: 'keys.json' } })).toEqual([])
    expect(problems({ listeners, httpAuth: { url: 'https://auth.example/mqtt' } })).toEqual([])
    expect(problems({ listeners: { tcp: { host: '0.0.0.0', authenticators: ['anonymous'] } } })).toEqual([])
  })

  it.each([
    [{ tls: {} }, 'listeners.tls.cert: expected the path of a PEM file, found nothing'],
    [{ tls: true }, 'listeners.tls: expected a group of options, or null, found true'],
    [
      { tls: { ...tls, clientCertificate: 'require' } },
      'listeners.tls.ca: expected a PEM file, for clientCertificate is require',
    ],
    [
      { tls: { ...tls, crl: 'crl.pem' } },
      'listeners.tls.crl: expected null while clientCertificate is none, found "crl.pem"',
    ],
    [{ wss: { ...tls, minVersion: 'SSLv3' } }, 'listeners.wss.minVersion: expected one of TLSv1.2, TLSv1.3'],
    [{ ws: { path: 'mqtt' } }, 'listeners.ws.path: expected a path that begins with /'],
    [{ ws: { origins: ['example.com'] } }, 'listeners.ws.origins[0]: expected an origin such as https://example.com'],
    [{ ws: { maxConnections: 0 } }, 'listeners.ws.maxConnections: expected a whole number from 1 to 10000000'],
    [
      { tcp: { proxyProtocol: ['10.0.0.0/33'] } },
      'listeners.tcp.proxyProtocol[0]: expected an IP address, or a network',
    ],
    [{ tcp: { proxyProtocol: ['proxy.example'] } }, 'listeners.tcp.proxyProtocol[0]: expected an IP address'],
    [{ unix: { path: 'x'.repeat(108) } }, 'listeners.unix.path: expected a path of 1 to 107 bytes'],
    [
      { unix: { path: 's', mode: 660 } },
      'listeners.unix.mode: expected permissions as text, such as "0660", found 660',
    ],
    [{ tcp: { authenticators: [] } }, 'listeners.tcp.authenticators: expected a list of names'],
    [{ unix: { path: 's', proxyProtocol: [] } }, 'listeners.unix.proxyProtocol: no such option'],
  ])('%o is refused', (listeners, problem) => {
    expect(problems({ listeners })).toEqual(expect.arrayContaining([expect.stringContaining(problem)]))
  })

  it('certificates name nobody where no listener asks for them', () => {
    expect(problems({ access: { certificateUser: 'cn' }, listeners: { tls } })).toEqual([
      'access.certificateUser: expected none, or a listener tls or wss whose clientCertificate is request or require, found "cn"',
    ])
  })
})

describe('tokens', () => {
  it.each([
    [{}, 'jwt: expected exactly one of secretFile, publicKeyFile, jwksFile, jwksUrl'],
    [{ secretFile: 'a', publicKeyFile: 'b' }, 'jwt: expected exactly one of'],
    [{ secretFile: 'a' }, 'jwt.algorithms: expected HS256, HS384, HS512, with secretFile'],
    [{ publicKeyFile: 'a', algorithms: ['RS256', 'HS256'] }, 'jwt.algorithms: expected RS256, '],
    [{ publicKeyFile: 'a', algorithms: ['none'] }, 'jwt.algorithms[0]: expected one of HS256, '],
    [{ publicKeyFile: 'a', algorithms: [] }, 'jwt.algorithms: expected at least one algorithm'],
    [{ jwksUrl: 'ftp://keys.example' }, 'jwt.jwksUrl: expected an http:// or https:// address'],
    [{ jwksUrl: 'https://me:secret@keys.example' }, 'jwt.jwksUrl: expected an http:// or https:// address'],
  ])('%o is refused, and nothing secret is told of it', (jwt, problem) => {
    const found = problems({ jwt })
    expect(found).toEqual([expect.stringContaining(problem)])
    expect(found.join()).not.toContain('secret@')
  })

  it.each([
    [{ secretFile: 'a', algorithms: ['HS256'] }],
    [{ publicKeyFile: 'a' }],
    [{ jwksUrl: 'https://keys.example/jwks.json', audience: ['a', 'b'], issuer: 'me' }],
  ])('%o is taken', (jwt) => expect(problems({ jwt })).toEqual([]))
})

it('a slow-down whose longest wait is shorter than its first is refused', () => {
  expect(problems({ access: { slowDown: { initial: '2m' } } })).toEqual([
    expect.stringContaining('access.slowDown.max: expected no less than access.slowDown.initial'),
  ])
})
