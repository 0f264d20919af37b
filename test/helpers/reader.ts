/**
 * Somebody who tries what README.md and docs/ show, in a folder of their own: `npm`, `npx` and `eventflow` run this checkout's program, on ports that are
 * free, and Mosquitto's clients and the commands find it there.
 */

import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { Kitchen, Running, readPage } from './recipes.ts'
import { until } from './until.ts'

const ROOT = join(import.meta.dirname, '../..')
const MAIN = `${process.execPath} --import ${import.meta.resolve('tsx')} ${join(ROOT, 'src/cli/main.ts')}`

export class Reader {
  readonly folder: string
  /** Of MQTT. */
  readonly port: number
  readonly httpPort: number
  readonly #env: NodeJS.ProcessEnv

  private constructor(folder: string, port: number, httpPort: number) {
    this.folder = folder
    this.port = port
    this.httpPort = httpPort
    this.#env = {
      PATH: `${join(folder, 'bin')}:${process.env.PATH}`,
      XDG_CONFIG_HOME: folder,
      NODE_OPTIONS: `--import ${import.meta.resolve('tsx')}`,
      EVENTFLOW_LISTENERS_TCP_PORT: String(port),
      EVENTFLOW_URL: `http://127.0.0.1:${httpPort}`,
    }
  }

  static async open(): Promise<Reader> {
    const [port, httpPort] = [await freePort(), await freePort()]
    const { folder } = await Kitchen.open(port)
    const { start } = JSON.parse(readPage('package.json')).scripts as { start: string }
    const npm = `case "$1" in install) exit 0;; start) ;; *) exit 64;; esac\nshift\n[ "$1" = -- ] && shift`
    await mkdir(join(folder, 'bin'))
    await mkdir(join(folder, 'config'))
    await script(join(folder, 'bin/npm'), `${npm}\nexec ${start.replace('node dist/src/cli/main.js', MAIN)} "$@"`)
    await script(join(folder, 'bin/npx'), `[ "$1" = eventflow ] || exit 64\nshift\nexec ${MAIN} "$@"`)
    await script(join(folder, 'bin/eventflow'), `exec ${MAIN} "$@"`)
    const self = join(folder, 'node_modules/eventflow')
    await mkdir(self)
    await symlink(join(ROOT, 'src'), join(self, 'src'))
    await writeFile(join(self, 'package.json'), '{ "type": "module", "exports": "./src/index.ts" }')
    return new Reader(folder, port, httpPort)
  }

  /** Lines of shell, as they are written but for the port of HTTP. */
  shell(text: string, input = ''): Running {
    const command = text.replaceAll('8080', String(this.httpPort))
    const given = input === '' ? command : `printf '${input}' | ${command}`
    return new Running('sh', ['-c', given], { cwd: this.folder, env: this.#env })
  }

  /** Lines of shell, to their end. Returns what they wrote. */
  async done(text: string, input = ''): Promise<{ code: number; output: string }> {
    const running = this.shell(text, input)
    return { code: await running.ended(), output: running.output }
  }

  /** A broker under way. */
  async serving(text: string): Promise<Running> {
    const running = this.shell(text)
    await until(`it listens; it wrote: ${running.output}`, () => running.output.includes('"listener":"tcp"'), 60_000)
    return running
  }

  /** Subscribers, one for each line of shell, once the broker has them all. */
  async subscribed(...lines: string[]): Promise<Running[]> {
    const events = this.shell("mosquitto_sub -t '$eventflow/events/subscription/added'")
    // Its own subscription is told to it when it is there.
    await events.written(1)
    const subscribers = lines.map((line) => this.shell(line))
    await events.written(1 + lines.length)
    await events.kill()
    return subscribers
  }
}

async function script(path: string, text: string): Promise<void> {
  await writeFile(path, `#!/bin/sh\n${text}\n`)
  await chmod(path, 0o755)
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}
