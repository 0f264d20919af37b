/** A look at which broker answers, before it is put under load. */

import { ANSWER_MS, connect, type Target } from './handshake.ts'
import type { Link, PacketHandler } from './link.ts'
import { DISCONNECT, type MqttVersion, PINGREQ, subscribePacket } from './packets.ts'
import { ReadBuffer } from './read-buffer.ts'

/** What a broker says of itself. */
export interface Greeting {
  /** `$SYS/broker/version`; null when it does not say. */
  readonly version: string | null
  /** Receive Maximum; 65,535 where it does not speak MQTT 5. */
  readonly receiveMaximum: number
}

/** Ask the broker who it is. Rejects with a BenchError when there is none. */
export async function greet(target: Target, clientId: string): Promise<Greeting> {
  const input = new ReadBuffer(65_536)
  const attempt = async (version: MqttVersion) => ({
    ...(await connect('', target, version, clientId, input)),
    reader: new VersionReader(version),
    version,
  })
  const { link, receiveMaximum, reader, version } = await attempt(5).catch(() => attempt(4))
  link.handler = reader
  // The answer to a ping comes after what was retained: no need to wait for a while.
  link.append(subscribePacket(version, 1, ['$SYS/broker/version'], 0))
  link.append(PINGREQ)
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ANSWER_MS)
    link.onProgress = () => {
      if (!reader.done && link.broken === null) return
      clearTimeout(timer)
      resolve()
    }
    link.flush()
  })
  link.end(DISCONNECT)
  return { version: reader.text, receiveMaximum }
}

class VersionReader implements PacketHandler {
  text: string | null = null
  done = false
  readonly #version: MqttVersion

  constructor(version: MqttVersion) {
    this.#version = version
  }

  packet(link: Link, first: number, at: number, end: number): void {
    if (first >> 4 === 13) this.done = true
    if (first >> 4 !== 3) return
    const afterTopic = at + 2 + link.input.uint16(at)
    const payload = this.#version === 5 ? link.input.afterProperties(afterTopic) : afterTopic
    this.text = link.input.slice(payload, end).toString()
  }
}
