/** The packets that a load needs besides PUBLISH, as bytes. Made before the clock starts, so plain rather than fast. */

export type MqttVersion = 4 | 5
export type BenchQoS = 0 | 1 | 2

export interface Credentials {
  readonly user?: string | undefined
  readonly password?: string | undefined
}

export const PINGREQ = Buffer.from([0xc0, 0])
export const DISCONNECT = Buffer.from([0xe0, 0])

/** A CONNECT: clean, no keep alive, no will. */
export function connectPacket(version: MqttVersion, clientId: string, { user, password }: Credentials): Buffer {
  const flags = 0x02 | (user === undefined ? 0 : 0x80) | (password === undefined ? 0 : 0x40)
  return packet(0x10, [
    text('MQTT'),
    Buffer.from([version, flags, 0, 0]),
    noProperties(version),
    text(clientId),
    ...[user, password].filter((word) => word !== undefined).map(text),
  ])
}

export function subscribePacket(
  version: MqttVersion,
  packetId: number,
  filters: readonly string[],
  qos: BenchQoS,
): Buffer {
  return packet(0x82, [
    uint16(packetId),
    noProperties(version),
    ...filters.flatMap((filter) => [text(filter), Buffer.from([qos])]),
  ])
}

/** A code as the specification writes it. */
export function hex(code: number): string {
  return `0x${code.toString(16).padStart(2, '0')}`
}

/** A fixed header before these parts. */
export function packet(first: number, parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts)
  return Buffer.concat([Buffer.from([first]), varint(body.length), body])
}

export function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([uint16(bytes.length), bytes])
}

export function uint16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff])
}

export function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  do {
    bytes.push((rest & 0x7f) | (rest >= 0x80 ? 0x80 : 0))
    rest = Math.floor(rest / 0x80)
  } while (rest > 0)
  return Buffer.from(bytes)
}

function noProperties(version: MqttVersion): Buffer {
  return Buffer.alloc(version === 5 ? 1 : 0)
}
