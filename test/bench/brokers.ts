/** Brokers of our own for scripts that compare two: each in a process of its own, with its data in memory. */

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '../..')

export interface Started {
  readonly port: number
  readonly pid: number
}

export class Brokers {
  readonly #children: ChildProcess[] = []
  #folder: Promise<string> | null = null

  /** Start a broker with this configuration, besides where it listens. Resolves once it does. */
  async start(name: string, config: string): Promise<Started> {
    this.#folder ??= mkdtemp(join(tmpdir(), 'eventflow-brokers-'))
    const file = join(await this.#folder, `${name}.yaml`)
    await writeFile(file, `listeners: { tcp: { port: 0 } }\nstore: { kind: memory }\n${config}`)
    const words = [...process.execArgv, join(ROOT, 'src/cli/main.ts'), 'start', '--config', file]
    const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#children.push(child)
    for await (const chunk of child.stdout!) {
      const port = /"port":(\d+)/.exec(String(chunk))
      if (port !== null) return { port: Number(port[1]), pid: child.pid! }
    }
    throw new Error(`the broker ${name} did not start`)
  }

  /** At once: they have nothing that is to be kept. */
  async stop(): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL')
    if (this.#folder !== null) await rm(await this.#folder, { recursive: true })
  }
}
