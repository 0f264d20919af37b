/** The `eventflow` program as it is run: words and input in, output and an exit code out. */

import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts')

export interface ProgramOptions {
  env?: Record<string, string>
  /** Working directory; the default has no configuration file. */
  cwd?: string
  /** Its standard input; then that ends. */
  input?: string
}

/** The program under way; killed when the test ends. */
export function run(words: readonly string[], { env = {}, cwd = '/', input = '' }: ProgramOptions = {}) {
  const tsx = import.meta.resolve('tsx')
  const child = spawn(process.execPath, ['--import', tsx, MAIN, ...words], {
    cwd,
    env: { PATH: process.env.PATH, ...env },
  })
  const running = { stdout: '', stderr: '', child, ended: Promise.resolve<number | null>(null) }
  child.stdout.on('data', (chunk) => (running.stdout += chunk))
  child.stderr.on('data', (chunk) => (running.stderr += chunk))
  child.stdin.end(input)
  running.ended = new Promise((resolve) => child.once('close', resolve))
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await running.ended
  })
  return running
}

/** The program, once it has ended. */
export async function finish(words: readonly string[], options: ProgramOptions = {}) {
  const running = run(words, options)
  const code = await running.ended
  return { code, stdout: running.stdout, stderr: running.stderr }
}
