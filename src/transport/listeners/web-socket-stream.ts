/**
 * A WebSocket as the byte stream that a lane serves. What was written in one turn leaves in one system call, each write in
 * a frame of its own, without a copy; a write counts as taken when the system has taken it, so a slow reader is seen.
 *
 * Only binary frames are MQTT [MQTT-6.0.0-1]; packets and frames need not begin together [MQTT-6.0.0-2].
 *
 * What came of a frame that is not whole is told by the event `unfinished`, with the number of bytes: it is in memory as well.
 */

import { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import { ReasonCode, Refusal } from '../../core/reason-codes.ts'

/** Status codes of a close frame (RFC 6455, 7.4.1). */
const NORMAL = 1000
const UNSUPPORTED_DATA = 1003

/** Of a control frame of a client: two bytes, and its mask (RFC 6455, 5.2). */
const CONTROL_HEAD = 6

/** Bytes that may wait when a ping is answered. Pings that nobody reads the answers of would fill the memory. */
const MAX_WAITING_FOR_PONG = 16_384

type Done = (error?: Error | null) => void

export class WebSocketStream extends Duplex {
  readonly #socket: WebSocket
  /** What the WebSocket writes its frames to. */
  readonly #carrier: Duplex
  #closeCode = NORMAL
  /** Bytes since the last whole message, and what was last told of them. */
  #unfinished = 0
  #told = 0

  constructor(socket: WebSocket, carrier: Duplex) {
    super({ allowHalfOpen: true })
    this.#socket = socket
    this.#carrier = carrier
    // The one before the WebSocket reads them, the other after it.
    carrier.prependListener('data', (chunk: Buffer) => {
      this.#unfinished += chunk.length
    })
    carrier.on('data', () => this.#tell())
    socket.on('message', (data: Buffer, isBinary: boolean) => this.#received(data, isBinary))
    socket.on('pong', (data: Buffer) => this.#controlled(data))
    socket.on('ping', (data: Buffer) => {
      this.#controlled(data)
      if (carrier.writableLength <= MAX_WAITING_FOR_PONG) socket.pong(data)
    })
    // It closes by itself then, and tells the client why.
    socket.on('error', ({ message }) => this.emit('error', new Refusal(ReasonCode.MalformedPacket, message)))
    socket.on('close', () => this.push(null))
  }

  override _read(): void {
    if (this.#socket.isPaused) this.#socket.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    if (this.#open(done)) this.#socket.send(chunk, done)
  }

  override _writev(chunks: Array<{ chunk: Buffer }>, done: Done): void {
    if (!this.#open(done)) return
    const last = chunks.length - 1
    this.#carrier.cork()
    for (let i = 0; i < last; i++) this.#socket.send(chunks[i]!.chunk)
    this.#socket.send(chunks[last]!.chunk, done) // taken in order: with the last one, all are
    this.#carrier.uncork()
  }

  override _final(done: Done): void {
    const socket = this.#socket
    if (socket.readyState === socket.CLOSED) done()
    else socket.once('close', () => done()).close(this.#closeCode)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.terminate()
    done(error)
  }

  /** A frame that is no part of a message. */
  #controlled({ length }: Buffer): void {
    this.#unfinished = Math.max(this.#unfinished - length - CONTROL_HEAD, 0)
  }

  #tell(): void {
    if (this.#unfinished === this.#told) return
    this.#told = this.#unfinished
    this.emit('unfinished', this.#unfinished)
  }

  #received(data: Buffer, isBinary: boolean): void {
    this.#unfinished = 0
    if (!isBinary) {
      this.#closeCode = UNSUPPORTED_DATA
      this.emit('error', new Refusal(ReasonCode.ProtocolError, 'MQTT is in binary frames, and this is a text frame'))
    } else if (data.length > 0 && !this.push(data)) this.#socket.pause()
  }

  /**
   * Whether frames can be sent. Once the client has said that it closes they cannot, and what it sent before is still
   * served: so the write fails only when all of that was read.
   */
  #open(done: Done): boolean {
    if (this.#socket.readyState === this.#socket.OPEN) return true
    const fail = (): void => done(new Error('the WebSocket is closed'))
    if (this.readableEnded) fail()
    else this.once('end', fail)
    return false
  }
}
