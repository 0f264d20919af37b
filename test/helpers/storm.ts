/** Many clients that connect all at once, from a thread of their own: their work must not count as the broker's. */

import { Worker } from 'node:worker_threads'
import { generate } from 'mqtt-packet'
import { onTestFinished } from 'vitest'

export interface Storm {
  /** Resolves when all have their CONNACK, or were closed: how many have been let in, and how many not. */
  readonly over: Promise<{ welcome: number; closed: number }>
}

/** What the thread runs: plain JavaScript. It connects `count` times, and sends what it is given with the number put in. */
const PROGRAM = `
const { connect } = require('node:net')
const { parentPort, workerData } = require('node:worker_threads')
const { port, count, head, tail } = workerData
let welcome = 0, closed = 0
const settle = () => { if (welcome + closed === count) parentPort.postMessage({ welcome, closed }) }
for (let i = 0; i < count; i++) {
  const socket = connect(port, '127.0.0.1')
  let settled = false
  const once = (is) => { if (settled) return; settled = true; if (is) welcome++; else closed++; settle() }
  socket.on('connect', () => socket.write(Buffer.concat([head, Buffer.from(String(i).padStart(5, '0')), tail])))
  socket.on('data', (bytes) => once(bytes[0] === 0x20 && bytes[3] === 0))
  socket.on('error', () => {})
  socket.on('close', () => once(false))
}
`

/** Connect `count` clients of MQTT 3.1.1, as `storm-00000` and so on. They stay until the test ends. */
export function storm(port: number, count: number, clean: boolean): Storm {
  const bytes = generate({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clientId: 'storm-00000', clean })
  const at = bytes.indexOf('00000')
  const workerData = { port, count, head: bytes.subarray(0, at), tail: bytes.subarray(at + 5) }
  const worker = new Worker(PROGRAM, { eval: true, workerData })
  onTestFinished(async () => void (await worker.terminate()))
  const over = new Promise<{ welcome: number; closed: number }>((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
  })
  return { over }
}
