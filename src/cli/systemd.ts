/**
 * What systemd is told of a service with Type=notify: that it is ready, that it stops, and, for the watchdog, that its event loop still
 * turns. It listens on a datagram Unix socket, which Node.js cannot open; the program systemd-notify can, and is wherever systemd is.
 * See docs/decisions/0007-systemd-notify.md.
 */

import { spawn } from 'node:child_process'
import type { Clock, Timer } from '../core/clock.ts'
import type { Logger } from '../kernel/plugin-contract.ts'

export interface SystemdParts {
  env: Readonly<Record<string, string | undefined>>
  pid: number
  clock: Clock
  log: Logger
}

export class Systemd {
  readonly #parts: SystemdParts
  #timer: Timer | null = null
  #failed = false
  #stopped = false

  constructor(parts: SystemdParts) {
    this.#parts = parts
  }

  /** The broker serves clients; from now on the watchdog is told that it does. */
  ready(): void {
    void this.#send('READY=1')
    const intervalMs = watchdogMs(this.#parts.env, this.#parts.pid) / 2
    if (intervalMs > 0) this.#beat(intervalMs)
  }

  /** Not in turn: nothing is to wait for systemd now, and the process may end before a sign of life has gone. */
  stopping(): void {
    this.#stopped = true
    this.#timer?.cancel()
    void this.#send('STOPPING=1')
  }

  #beat(intervalMs: number): void {
    this.#timer = this.#parts.clock.after(intervalMs, async () => {
      await this.#send('WATCHDOG=1')
      if (!this.#stopped) this.#beat(intervalMs)
    })
  }

  async #send(message: string): Promise<void> {
    if (!this.#parts.env.NOTIFY_SOCKET || this.#failed) return
    await new Promise<void>((resolve) => {
      const child = spawn('systemd-notify', [message], { stdio: 'ignore' })
      child.once('exit', () => resolve())
      child.once('error', (error) => {
        this.#failed = true
        this.#parts.log.warn(
          { error },
          'systemd cannot be told anything: the program systemd-notify is needed for that',
        )
        resolve()
      })
    })
  }
}

/** How long systemd waits for a sign of life; 0: it does not wait for any from this process. */
function watchdogMs({ WATCHDOG_USEC, WATCHDOG_PID }: SystemdParts['env'], pid: number): number {
  if (WATCHDOG_PID !== undefined && Number(WATCHDOG_PID) !== pid) return 0
  const microseconds = Number(WATCHDOG_USEC ?? 0)
  return microseconds > 0 ? microseconds / 1000 : 0
}
