import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ConfigSources, loadConfig } from '../../../src/config/load.ts'
import { EventflowError } from '../../../src/core/errors.ts'

let folder: string
let file: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'eventflow-config-'))
  file = join(folder, 'broker.yaml')
})
afterAll(() => rmSync(folder, { recursive: true }))

/** Load with `yaml` as the file. */
function load(yaml: string, { env = {}, flags = {} }: Partial<ConfigSources> = {}) {
  writeFileSync(file, yaml)
  return loadConfig({ file, env, flags })
}

/** The lines of the error, with the path of the file as FILE. */
function problems(yaml: string, sources: Partial<ConfigSources> = {}): string[] {
  try {
    load(yaml, sources)
  } catch (error) {
    expect(error).toBeInstanceOf(EventflowError)
    expect(error).toHaveProperty('code', 'CONFIG_INVALID')
    return (error as Error).message.replaceAll(file, 'FILE').split('\n')
  }
  throw new Error('the configuration was accepted')
}

describe('where values come from', () => {
  it('a flag goes before a variable, that before the file, that before the default', () => {
    const yaml = 'listeners: { tcp: { port: 1 } }\nstore: { path: from-file }\nlog: { level: warn }\n'
    const env = { EVENTFLOW_LISTENERS_TCP_PORT: '2', EVENTFLOW_STORE_PATH: 'from-variable' }
    const config = load(yaml, { env, flags: { port: '3' } })
    expect(config.listeners.tcp).toMatchObject({ host: '127.0.0.1', port: 3 })
    expect(config.store).toMatchObject({ kind: 'level', path: 'from-variable' })
    expect(config.log.level).toBe('warn')
  })

  it('a variable of a group that is off opens it; the variable of the whole group takes all of it', () => {
    const env = {
      EVENTFLOW_LISTENERS_TLS_CERT: 'c.pem',
      EVENTFLOW_LISTENERS_TLS_KEY: 'k.pem',
      EVENTFLOW_LISTENERS_WS: '{ port: 80 }',
    }
    const { tls, ws, wss } = load('listeners:\n  tls: null\n', { env }).listeners
    expect(tls).toMatchObject({ host: '127.0.0.1', port: 8883, cert: 'c.pem', key: 'k.pem' })
    expect([ws!.port, ws!.path, wss]).toEqual([80, '/mqtt', null])
  })

  it('every flag sets its option', () => {
    const config = load('', {
      flags: { host: '::1', port: '0', data: 'd', store: 'memory', 'http-port': '8080', 'log-level': 'silent' },
    })
    expect(config.listeners.tcp).toMatchObject({ host: '::1', port: 0 })
    expect(config.store).toMatchObject({ kind: 'memory', path: 'd' })
    expect(config.http.port).toBe(8080)
    expect(config.log.level).toBe('silent')
  })

  it('the file may be empty, and so may a group in it', () => {
    expect(load('').queue.prefetch).toBe(16)
    expect(load('queue:\n  backoff:\n    # initial: 2s\nsession:\n').queue.backoff.initial).toBe(1000)
  })

  it('EVENTFLOW_CONFIG names the file, and --config goes before it', () => {
    writeFileSync(file, 'node: from-variable')
    const env = { EVENTFLOW_CONFIG: file }
    expect(loadConfig({ env, flags: {} }).node).toBe('from-variable')
    const other = join(folder, 'other.yaml')
    writeFileSync(other, 'node: from-flag')
    expect(loadConfig({ file: other, env, flags: {} }).node).toBe('from-flag')
  })

  it('variables hold text, numbers, durations, lists and null', () => {
    const env = {
      EVENTFLOW_NODE: '42',
      EVENTFLOW_SESSION_MAX_QUEUED: '7',
      EVENTFLOW_SHUTDOWN_TIMEOUT: '1500',
      EVENTFLOW_QUEUE_BACKOFF_MAX: '5m',
      EVENTFLOW_ACCESS_RULES: '[{ "allow": "publish", "topics": ["a/%u/#"] }]',
      EVENTFLOW_ACCESS_PASSWORD_FILE: '',
      EVENTFLOW_HTTP_PORT: 'null',
    }
    const config = load('http: { port: 80 }\naccess: { passwordFile: p }', { env })
    expect(config.node).toBe('42')
    expect(config.session.maxQueued).toBe(7)
    expect(config.shutdownTimeout).toBe(1500)
    expect(config.queue.backoff.max).toBe(300_000)
    expect(config.access).toMatchObject({
      passwordFile: null,
      certificateUser: 'none',
      rules: [{ allow: 'publish', topics: ['a/%u/#'] }],
      roles: {},
      aclFile: null,
      publishDenied: 'close',
    })
    expect(config.http.port).toBeNull()
  })
})

describe('what is wrong', () => {
  it('is told all at once, with where it came from', () => {
    const yaml = 'node: ok\nsession:\n  maxQueud: 5\n  maxInflight: 0\nlisteners:\n  tcp:\n    port: 70000\n'
    const env = { EVENTFLOW_QUEUE_PREFETCH: 'many', EVENTFLOW_PROT: '1', PATH: '/bin' }
    expect(problems(yaml, { env, flags: { store: 'paper' } })).toEqual([
      'listeners.tcp.port: expected a whole number from 0 to 65535, found 70000 (FILE:7)',
      'store.kind: expected one of level, memory, found "paper" (--store)',
      'session.maxInflight: expected a whole number from 1 to 65535, found 0 (FILE:4)',
      'session.maxQueud: no such option, expected one of ' +
        'maxInflight, maxQueued, maxQueuedBytes, maxSocketBuffer, maxExpiry (FILE:3)',
      'queue.prefetch: expected a whole number from 1 to 65535, found "many" (EVENTFLOW_QUEUE_PREFETCH)',
      'EVENTFLOW_PROT: no such option (environment)',
    ])
  })

  it('a rule is found in its list, wherever the list came from', () => {
    const rules = '[{ allow: publish, topics: [a] }, { allow: publish, topics: ["b", "c#"] }]'
    expect(problems(`access:\n  rules: ${rules}`)[0]).toMatch(/^access\.rules\[1\]\.topics\[1\]: .*\(FILE:2\)$/)
    expect(problems('', { env: { EVENTFLOW_ACCESS_RULES: rules } })[0]).toMatch(/\(EVENTFLOW_ACCESS_RULES\)$/)
    expect(problems('', { env: { EVENTFLOW_ACCESS_RULES: '[{' } })[0]).toContain('expected a list of rules, found "[{"')
  })

  it('a flag does not hide that the file has no group where one belongs', () => {
    expect(problems('listeners: 1883', { flags: { port: '1' } })).toEqual([
      'listeners: expected a group of options, found 1883 (FILE:1)',
    ])
  })

  it('without users an address that others can reach is refused, whoever asked for it', () => {
    expect(problems('', { flags: { host: '0.0.0.0' } })).toEqual([
      expect.stringMatching(/found "0\.0\.0\.0" \(--host\)$/),
    ])
  })

  it('YAML that cannot be read is told with line and column, and not quoted', () => {
    const found = problems('node: a\naccess: { passwordFile: hunter2\nnode: b\n')
    expect(found[0]).toMatch(/^FILE: line \d+, column \d+: /)
    expect(found.join()).not.toContain('hunter2')
    expect(problems('node: a\nnode: b\n')).toEqual(['FILE: line 2, column 1: Map keys must be unique'])
    expect(problems('node: *nobody\n')[0]).toMatch(/^FILE: /)
    expect(problems('- node\n')).toEqual(['FILE: expected options by name, found a list or a single value'])
  })

  it('a file that was named must be there', () => {
    const missing = join(folder, 'missing.yaml')
    expect(() => loadConfig({ file: missing, env: {}, flags: {} })).toThrow(
      `${missing}: there is no such file (--config)`,
    )
    expect(() => loadConfig({ env: { EVENTFLOW_CONFIG: missing }, flags: {} })).toThrow(
      `${missing}: there is no such file (EVENTFLOW_CONFIG)`,
    )
    expect(() => loadConfig({ file: folder, env: {}, flags: {} })).toThrow(
      `${folder}: the file cannot be read: EISDIR (--config)`,
    )
  })
})
