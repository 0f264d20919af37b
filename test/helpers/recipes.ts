/** Pages of docs/ as something to run: their code blocks, taken out and started as a reader would. */

import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { temporaryFolder } from './broker.ts'
import { until } from './until.ts'

const ROOT = join(import.meta.dirname, '../..')

/** A program that starts on a busy machine takes its time. */
const PATIENCE_MS = 30_000

export interface Block {
  /** Heading above it, language, and which of them it is there: `Policies, yaml 1`. */
  readonly key: string
  readonly language: string
  readonly text: string
}

export function readPage(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}

/** Every code block of a page, in order. */
export function blocksOf(page: string): Block[] {
  const counts = new Map<string, number>()
  let heading = ''
  return [...page.matchAll(/^```(\w*)\n(.*?)^```$|^#+ ([^\n]+)$/gms)].flatMap(([, language, text, title]) => {
    if (title !== undefined) heading = title
    if (text === undefined) return []
    const kind = `${heading}, ${language}`
    const count = (counts.get(kind) ?? 0) + 1
    counts.set(kind, count)
    return { key: `${kind} ${count}`, language: language!, text }
  })
}

/** What is running, and what it has written. */
export class Running {
  readonly child: ChildProcess
  output = ''
  code: number | null = null

  constructor(command: string, words: readonly string[], options: { cwd: string; env: NodeJS.ProcessEnv }) {
    // In a process group of its own: a shell's children end with it.
    this.child = spawn(command, words, { ...options, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [this.child.stdout, this.child.stderr]) stream!.on('data', (chunk) => (this.output += chunk))
    this.child.once('close', (code) => {
      this.code = code ?? -1
    })
    onTestFinished(() => this.kill())
  }

  get lines(): string[] {
    return this.output.split('\n').filter((line) => line !== '')
  }

  /** Wait for so many lines; returns all there are. */
  async written(count: number): Promise<string[]> {
    await until(`${count} lines are written, not: ${this.output}`, () => this.lines.length >= count, PATIENCE_MS)
    return this.lines
  }

  /** Wait for its end. Returns its exit code. */
  async ended(): Promise<number> {
    await until(`it has ended; it wrote: ${this.output}`, () => this.code !== null, PATIENCE_MS)
    return this.code!
  }

  signal(signal: NodeJS.Signals): void {
    if (this.code === null) process.kill(-this.child.pid!, signal)
  }

  async kill(): Promise<void> {
    try {
      this.signal('SIGKILL')
    } catch {} // it has just gone by itself
    await until('it is gone', () => this.code !== null)
  }
}

/** A folder in which recipes run, at the broker on `port` as if that were the usual one. */
export class Kitchen {
  readonly folder: string
  readonly #port: number

  private constructor(folder: string, port: number) {
    this.folder = folder
    this.#port = port
  }

  static async open(port: number): Promise<Kitchen> {
    const folder = await temporaryFolder()
    await mkdir(join(folder, 'node_modules'))
    await symlink(join(ROOT, 'node_modules/mqtt'), join(folder, 'node_modules/mqtt'))
    // Where Mosquitto's clients look for their defaults.
    for (const client of ['mosquitto_pub', 'mosquitto_sub']) {
      await writeFile(join(folder, client), `-h 127.0.0.1\n-p ${port}\n`)
    }
    return new Kitchen(folder, port)
  }

  /** A block of shell, as it is written. */
  shell(text: string): Running {
    const env = { ...process.env, XDG_CONFIG_HOME: this.folder }
    return new Running('sh', ['-c', text], { cwd: this.folder, env })
  }

  /** A program, as it is written but for the port. Its first line is its name: `// worker.mjs`. */
  async program(text: string, ...words: string[]): Promise<Running> {
    const name = /^\/\/ ([\w-]+\.mjs)\n/.exec(text)?.[1]
    if (name === undefined) throw new Error(`a program of a recipe begins with its name: ${text.slice(0, 40)}`)
    await writeFile(join(this.folder, name), text.replaceAll('localhost:1883', `127.0.0.1:${this.#port}`))
    return new Running(process.execPath, [name, ...words], { cwd: this.folder, env: process.env })
  }
}
