/** The `eventflow` program as a shell sees it: words in, lines and an exit code out. */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { resolveConfig } from '../../../src/config/load.ts'

const MAIN = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url))
const COMMANDS = [
  ...['start', 'check', 'passwd', 'backup', 'restore'],
  ...['queues', 'clients', 'status', 'pub', 'sub', 'bench'],
]
const TSX = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'eventflow-cli-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

interface Program {
  process: ChildProcess
  stdout: () => string
  stderr: () => string
  /** The exit code; null when a signal ended it. */
  ended: Promise<number | null>
  /** Resolves with the first log line that has this text; fails when the program ends without it. */
  logs(text: string): Promise<Record<string, unknown>>
}

function run(args: string[], { env = {}, cwd = folder }: { env?: Record<string, string>; cwd?: string } = {}): Program {
  const ours = Object.entries(process.env).filter(([name]) => !name.startsWith('EVENTFLOW_'))
  const child = spawn(process.execPath, ['--import', TSX, MAIN, ...args], {
    cwd,
    env: { ...Object.fromEntries(ours), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text
    })
  }
  const ended = once(child, 'close').then(([code]: (number | null)[]) => code ?? null)
  const find = (text: string) => output.stdout.split('\n').find((line) => line.includes(text))
  return {
    process: child,
    stdout: () => output.stdout,
    stderr: () => output.stderr,
    ended,
    async logs(text) {
      while (find(text) === undefined) {
        const over = await Promise.race([once(child.stdout, 'data').then(() => false), ended.then(() => true)])
        if (over && find(text) === undefined) throw new Error(`ended without "${text}": ${output.stderr}`)
      }
      return JSON.parse(find(text)!)
    },
  }
}

/** Run to the end. */
async function finish(...call: Parameters<typeof run>) {
  const program = run(...call)
  return { code: await program.ended, stdout: program.stdout(), stderr: program.stderr() }
}

describe('eventflow', () => {
  it('lists its commands when it is asked for help', async () => {
    const { code, stdout } = await finish(['--help'])
    expect(code).toBe(0)
    for (const command of COMMANDS) expect(stdout).toMatch(new RegExp(`^  ${command} `, 'm'))
    expect(stdout.trimEnd().split('\n').length).toBeLessThan(25)
  })

  it.each([...COMMANDS, 'completion'])('tells how %s is called, on one screen', async (command) => {
    const { code, stdout } = await finish([command, '--help'])
    expect(code).toBe(0)
    expect(stdout).toMatch(new RegExp(`\n\neventflow ${command} `))
    const [, , _usage, ...lines] = stdout.split('\n')
    for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(120)
    expect(lines.length).toBeLessThan(30)
  })

  it('tells the options of a command', async () => {
    const { code, stdout } = await finish(['start', '--help'])
    expect(code).toBe(0)
    expect(stdout).toContain('eventflow start [--config FILE] [--host ADDRESS] [--port N]')
  })

  it('tells its version', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'))
    expect(await finish(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
  })

  it.each([
    [['stop'], 'there is no command stop'],
    [[], 'a command is missing'],
  ])('wrongly called with %j it lists its commands and exits with 2', async (args, problem) => {
    const { code, stdout, stderr } = await finish(args)
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toContain(problem)
    expect(stderr).toMatch(/^ {2}start /m)
  })

  it.each([[['--prot', '1']], [['--port', '--host']]])('start with %j exits with 2 and one line', async (args) => {
    const { code, stderr } = await finish(['start', ...args])
    expect(code).toBe(2)
    expect(stderr).toMatch(/^eventflow start: [^\n]+; expected: eventflow start \[--config FILE\][^\n]+\n$/)
  })
})

describe('eventflow completion bash', () => {
  /** What bash offers for the last of these words. */
  function offered(script: string, ...words: string[]): string[] {
    const typed = `COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}`
    const line = `${script}\n${typed}; _eventflow; printf '%s\\n' "\${COMPREPLY[@]}"`
    return execFileSync('bash', ['-c', line], { encoding: 'utf8' }).trim().split('\n')
  }

  it('makes bash complete commands, what they do, and their options', async () => {
    const { code, stdout } = await finish(['completion', 'bash'])
    expect(code).toBe(0)
    expect(offered(stdout, 'eventflow', '')).toEqual([...COMMANDS, 'completion', '--help', '--version'])
    expect(offered(stdout, 'eventflow', 'p')).toEqual(['passwd', 'pub'])
    expect(offered(stdout, 'eventflow', 'queues', 'p')).toEqual(['peek', 'pause', 'purge'])
    expect(offered(stdout, 'eventflow', 'queues', 'list', '--s')).toEqual(['--search'])
    expect(offered(stdout, 'eventflow', 'start', '--http')).toEqual(['--http-port'])
    expect(offered(stdout, 'eventflow', 'pub', 'a')).toEqual(['']) // files, by -o default
  })

  it('knows no other shell', async () => {
    const { code, stderr } = await finish(['completion', 'fish'])
    expect(code).toBe(2)
    expect(stderr).toBe('eventflow completion: the shell must be bash; expected: eventflow completion bash\n')
  })
})

describe('eventflow check', () => {
  it('takes no offence at the variables of commands that talk to a broker', async () => {
    const env = { EVENTFLOW_URL: 'http://127.0.0.1:8080', EVENTFLOW_TOKEN: 'secret', EVENTFLOW_PASSWORD: 'secret' }
    const { code, stdout } = await finish(['check'], { env })
    expect(code).toBe(0)
    expect(stdout).not.toContain('secret')
  })

  it('prints the values in force, which are a configuration themselves', async () => {
    const { code, stdout } = await finish(['check', '--port', '0'], { env: { EVENTFLOW_STORE_KIND: 'memory' } })
    expect(code).toBe(0)
    expect(stdout).toContain('the configuration is valid')
    const expected = resolveConfig({ listeners: { tcp: { port: 0 } }, store: { kind: 'memory' } })
    expect(parse(stdout)).toEqual(expected)
  })

  it('tells which policy a queue has', async () => {
    const env = { EVENTFLOW_QUEUE_POLICIES: '[{ match: pay/#, maxDeliveries: 10 }]' }
    const { code, stdout } = await finish(['check', '--queue', 'pay/eu'], { env })
    expect([code, stdout.split('\n')[0]]).toEqual([0, '# the queue pay/eu has the policy that matches pay/#'])
    expect(parse(stdout).queue).toMatchObject({ maxDeliveries: 10, prefetch: 16 })
    expect((await finish(['check', '--queue', 'x'], { env })).stdout).toContain('no policy of its own')
  })

  describe('of what a client may do', () => {
    const cwd = (): string => {
      const made = mkdtempSync(join(folder, 'rules-'))
      mkdirSync(join(made, 'config'))
      const rules = [
        'access:',
        '  aclFile: config/acl',
        '  roles: { operators: [bob] }',
        '  rules:',
        '    - { deny: subscribe, topics: [a/secret] }',
        '    - { allow: [publish, subscribe], user: ada, topics: [b, "a/%c/#"] }',
        '    - { allow: publish, role: operators, topics: [queue/orders] }',
      ]
      writeFileSync(join(made, 'config', 'eventflow.yaml'), rules.join('\n'))
      writeFileSync(join(made, 'config', 'acl'), '# mine\npattern read news/#\n')
      return made
    }

    it.each([
      [
        ['--user', 'ada', '--client-id', 'c1', '--publish', 'a/c1/x'],
        0,
        /^allowed: user ada, client identifier c1, may publish on a\/c1\/x\naccess\.rules\[1\] \(config\/eventflow\.yaml:6\) allows a\/%c\/#\n$/,
      ],
      [
        ['--user', 'ada', '--subscribe', '#'],
        1,
        /\naccess\.rules\[0\] \(config\/eventflow\.yaml:5\) denies a\/secret\n$/,
      ],
      [['--publish', 'x'], 1, /^denied: a client without a user name, .*\nno rule: denied by default\n$/],
      [['--user', 'x', '--subscribe', 'news/1'], 0, /\nconfig\/acl:2 allows news\/#\n$/],
      [
        ['--user', 'bob', '--publish', '$delayed/5/$q/orders'],
        0,
        /rules are asked about queue\/orders.*\n.*rules\[2\]/,
      ],
      [['--user', 'eve', '--publish', 'queue/orders', '--role', 'a,operators'], 0, /rules\[2\]/],
      [['--user', 'ada', '--publish', '$SYS/x'], 1, /only the broker may/],
      [['--user', 'ada', '--publish', 'a/+'], 1, /a topic name has no wildcards/],
    ])('%j answers with %i', async (words, code, text) => {
      const answer = await finish(['check', ...words], { cwd: cwd() })
      expect([answer.code, answer.stderr]).toEqual([code, ''])
      expect(answer.stdout).toMatch(text)
    })

    it('answers programs in JSON', async () => {
      const words = ['--user', 'ada', '--client-id', 'c1', '--publish', 'b', '--json']
      const { code, stdout } = await finish(['check', ...words], { cwd: cwd() })
      expect([code, JSON.parse(stdout)]).toEqual([
        0,
        {
          ...{ user: 'ada', clientId: 'c1', roles: [], action: 'publish', topic: 'b', allowed: true, asked: 'b' },
          ...{ place: 'access.rules[1] (config/eventflow.yaml:6)', rule: 'b' },
          reason: 'access.rules[1] (config/eventflow.yaml:6) allows b',
        },
      ])
    })

    it.each([
      [['--user', 'ada'], /--publish or --subscribe is missing/],
      [['--publish', 'a', '--subscribe', 'b'], /two questions/],
    ])('%j is wrongly called', async (words, text) => {
      const { code, stderr } = await finish(['check', ...words], { cwd: cwd() })
      expect(code).toBe(2)
      expect(stderr).toMatch(text)
    })

    it('tells the line of an ACL file that is wrong', async () => {
      const made = cwd()
      writeFileSync(join(made, 'config', 'acl'), 'user ada\ntopic reed x\n')
      const { code, stderr } = await finish(['check', '--publish', 'a'], { cwd: made })
      expect([code, stderr]).toEqual([2, expect.stringMatching(/^config\/acl:2: 'reed' is not /)])
    })
  })

  it('reads config/eventflow.yaml of the working directory', async () => {
    const cwd = mkdtempSync(join(folder, 'default-'))
    mkdirSync(join(cwd, 'config'))
    writeFileSync(join(cwd, 'config', 'eventflow.yaml'), 'node: from-file\nqueue:\n  prefetch: 0\n')
    const { code, stderr } = await finish(['check'], { cwd })
    expect(code).toBe(2)
    expect(stderr).toBe('queue.prefetch: expected a whole number from 1 to 65535, found 0 (config/eventflow.yaml:3)\n')
  })
})

describe('eventflow start', () => {
  const quick = ['start', '--port', '0', '--store', 'memory']

  it.each(['SIGTERM', 'SIGINT'] as const)('runs until %s, logs JSON and exits with 0', async (signal) => {
    const program = run([...quick, '--http-port', '0'])
    const listening = await program.logs('listens on mqtt://')
    expect(listening).toMatchObject({ level: 'info', node: 'eventflow', host: '127.0.0.1', port: expect.any(Number) })
    expect(await program.logs('HTTP on http://127.0.0.1:')).toMatchObject({ level: 'info', port: expect.any(Number) })
    program.process.kill(signal)
    expect(await program.ended).toBe(0)
    expect(program.stderr()).toBe('')
    for (const line of program.stdout().trim().split('\n')) JSON.parse(line)
  })

  it('tells all that is wrong with the configuration, and exits with 2', async () => {
    const { code, stdout, stderr } = await finish(['start', '--port', 'mqtt', '--host', '0.0.0.0'])
    expect([code, stdout]).toEqual([2, ''])
    const lines = stderr.trim().split('\n')
    expect(lines).toHaveLength(2)
    expect(lines[0]).toBe('listeners.tcp.port: expected a whole number from 0 to 65535, found "mqtt" (--port)')
    expect(lines[1]).toContain('name a password file in access.passwordFile')
  })

  it('says in one line that its port is taken, and exits with 1', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const { code, stderr } = await finish(['start', '--store', 'memory', '--port', String(port)])
    server.close()
    expect(code).toBe(1)
    expect(stderr).toMatch(/^eventflow start: [^\n]+ \(LISTEN_FAILED\)\n$/)
  })

  it('says in one line that its data directory is in use, and exits with 1', async () => {
    const withData = ['start', '--port', '0', '--data', join(folder, 'locked')]
    const first = run(withData)
    await first.logs('listens on mqtt://')
    const { code, stderr } = await finish(withData)
    first.process.kill('SIGTERM')
    expect(await first.ended).toBe(0)
    expect(code).toBe(1)
    expect(stderr).toMatch(/^eventflow start: [^\n]+ \(STORE_LOCKED\)\n$/)
  })
})
