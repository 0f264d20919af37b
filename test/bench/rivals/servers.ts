/** Servers for the comparisons, each started for one purpose, in a folder and on a port of its own, and gone afterwards. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { join } from 'node:path'

const START_MS = 60_000

export interface Server {
  readonly port: number
  /** Its processes now. */
  pids(): readonly number[]
  stop(): Promise<void>
}

/** A folder for servers on the disk of `folder`, gone when this process ends. */
export function workFolder(folder: string): string {
  const own = mkdtempSync(join(folder, 'eventflow-rivals-'))
  process.once('exit', () => rmSync(own, { recursive: true, force: true }))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
  return own
}

/**
 * This broker, from its sources, with its data on disk.
 * @param env options, as environment variables
 */
export async function startEventflow(folder: string, env: Record<string, string> = {}): Promise<Server> {
  const port = await freePort()
  const main = join(import.meta.dirname, '../../../src/cli/main.ts')
  const words = ['--port', String(port), '--data', join(folder, 'eventflow'), '--log-level', 'warn']
  return start(port, process.execPath, ['--import', import.meta.resolve('tsx'), main, 'start', ...words], env)
}

/** `redis-server` that syncs its log before it answers. */
export async function startRedis(folder: string): Promise<Server> {
  const port = await freePort()
  const data = join(folder, 'redis')
  mkdirSync(data)
  return start(port, 'redis-server', [
    ...['--port', String(port), '--bind', '127.0.0.1', '--dir', data, '--save', ''],
    ...['--appendonly', 'yes', '--appendfsync', 'always'],
  ])
}

/** A node of RabbitMQ. What else there may be of RabbitMQ on this machine is not touched. */
export async function startRabbitMq(folder: string): Promise<Server> {
  const [port, distribution, mapper] = await Promise.all([freePort(), freePort(), freePort()])
  const home = join(folder, 'rabbitmq')
  mkdirSync(home)
  writeFileSync(join(home, 'enabled_plugins'), '[].\n')
  const names = await start(mapper, 'epmd', ['-port', String(mapper)])
  const env = {
    HOME: home,
    ERL_EPMD_PORT: String(mapper),
    RABBITMQ_NODENAME: 'bench@localhost',
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(distribution),
    RABBITMQ_MNESIA_BASE: home,
    RABBITMQ_LOG_BASE: home,
    RABBITMQ_ENABLED_PLUGINS_FILE: join(home, 'enabled_plugins'),
    RABBITMQ_CONFIG_FILE: join(home, 'rabbitmq.conf'),
  }
  // The script that Debian has in the path runs it as another user, who may not write to our folder.
  const node = await start(port, '/usr/lib/rabbitmq/bin/rabbitmq-server', [], env)
  return {
    port,
    pids: node.pids,
    async stop() {
      await node.stop()
      await names.stop()
    },
  }
}

async function start(port: number, program: string, words: string[], env: Record<string, string> = {}) {
  // A process group of its own: RabbitMQ is a script that starts another.
  const child = spawn(program, words, {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk))
  child.once('error', (error) => (output += error))
  const end = (signal: NodeJS.Signals): void => {
    try {
      process.kill(-child.pid!, signal)
    } catch {} // it is gone
  }
  const atExit = (): void => end('SIGKILL')
  process.once('exit', atExit)
  await listening(port, child, () => output)
  return {
    port,
    pids: () => group(child.pid!),
    async stop() {
      const ended = child.exitCode === null ? once(child, 'exit') : null
      end('SIGTERM')
      await ended
      end('SIGKILL')
      process.off('exit', atExit)
    },
  }
}

/** Resolves when something listens on the port. */
async function listening(port: number, child: ChildProcess, output: () => string): Promise<void> {
  const until = Date.now() + START_MS
  for (;;) {
    const socket = connect(port, '127.0.0.1')
    const open = await once(socket, 'connect').then(
      () => true,
      () => false,
    )
    socket.destroy()
    if (open) return
    if (child.pid === undefined || child.exitCode !== null || Date.now() > until) {
      throw new Error(`${child.spawnfile} does not listen on ${port}: ${output()}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

/** Processes in a process group. */
function group(id: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2]) === id
      } catch {
        return false // it has just ended
      }
    })
    .map(Number)
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}
