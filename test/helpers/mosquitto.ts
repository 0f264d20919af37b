/** Debian's MQTT clients, as users run them. Where they are missing, tests say so; under CI=true that is a failure. */

import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process'
import { describe, onTestFinished } from 'vitest'
import { until } from './until.ts'

const present = spawnSync('mosquitto_pub', ['--help']).error === undefined

/** `describe` for tests that need mosquitto_pub and mosquitto_sub. */
export function describeWithMosquitto(name: string, tests: () => void): void {
  if (present) describe(name, tests)
  else if (process.env.CI === 'true') {
    throw new Error('mosquitto_pub and mosquitto_sub are missing; CI needs them (Debian: mosquitto-clients)')
  } else describe.skip(`${name} (skipped: mosquitto_pub and mosquitto_sub are not installed)`, tests)
}

export interface Finished {
  code: number | null
  stdout: string
  stderr: string
}

/** Run mosquitto_pub to its end. */
export function pub(port: number, ...words: string[]): Promise<Finished> {
  return new Promise((resolve) => {
    const child = spawn('mosquitto_pub', ['-h', '127.0.0.1', '-p', String(port), ...words])
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (chunk) => (stdout += chunk))
    child.stderr.on('data', (chunk) => (stderr += chunk))
    child.on('close', (code) => resolve({ code, stdout, stderr }))
  })
}

export class Subscriber {
  readonly child: ChildProcessWithoutNullStreams
  #output = ''

  constructor(port: number, words: readonly string[]) {
    // Into a pipe it would write by the block, and its log of packets would come too late.
    const command = ['-oL', 'mosquitto_sub', '-h', '127.0.0.1', '-p', String(port), '-d', ...words]
    this.child = spawn('stdbuf', command)
    this.child.stdout.on('data', (chunk) => (this.#output += chunk))
    this.child.stderr.on('data', (chunk) => (this.#output += chunk))
  }

  /** Everything it wrote, its log of packets included. */
  get output(): string {
    return this.#output
  }

  /** The messages, one a line, without its log of packets. */
  get lines(): string[] {
    const noise = /^(Client |Subscribed |Warning|Error|All subscription|Connection error|$)/
    return this.#output.split('\n').filter((line) => !noise.test(line))
  }

  /** Wait for so many messages; returns all there are. */
  async messages(count: number): Promise<string[]> {
    await until(`mosquitto_sub has ${count} messages; it wrote: ${this.#output}`, () => this.lines.length >= count)
    return this.lines
  }

  /** Wait for it to end by itself, as it does with -C, -E or -W. */
  async ended(): Promise<void> {
    await until('mosquitto_sub has ended', () => this.child.exitCode !== null || this.child.signalCode !== null)
  }

  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    this.child.kill(signal)
    await new Promise((resolve) => this.child.once('exit', resolve))
  }
}

/** A mosquitto_sub that has its SUBACK; ended when the test is. */
export async function sub(port: number, ...words: string[]): Promise<Subscriber> {
  const subscriber = new Subscriber(port, words)
  onTestFinished(() => subscriber.end('SIGKILL'))
  await until('mosquitto_sub is subscribed', () => /received SUBACK/.test(subscriber.output))
  return subscriber
}
