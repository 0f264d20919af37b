/** The end of a connection from our side. */

import type { Duplex } from 'node:stream'

/** How long a closed connection is drained, so that its last packet arrives: unread data would reset it. */
const LINGER_MS = 1_000

/** Say goodbye, and read what still comes to nowhere until the client hangs up, or does not read what we said. */
export function linger(socket: Duplex): void {
  socket.removeAllListeners('data')
  socket.on('data', () => {})
  socket.resume()
  if (socket.destroyed) return
  socket.end()
  const timer = setTimeout(() => socket.destroy(), LINGER_MS)
  timer.unref()
  socket.once('close', () => clearTimeout(timer))
}
