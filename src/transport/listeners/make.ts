/** The listeners that a configuration asks for: which place, and which layers on it. */

import type { Duplex } from 'node:stream'
import type { Config } from '../../config/schema.ts'
import type { Clock } from '../../core/clock.ts'
import type { Events } from '../../core/events.ts'
import type { Refusal } from '../../core/reason-codes.ts'
import type { Logger } from '../../kernel/plugin-contract.ts'
import type { Gate, GateLimits } from '../gate.ts'
import type { OwnLimits, TransportLimits } from '../lane-parts.ts'
import type { Peer } from '../peer.ts'
import { GateLayer } from './gate-layer.ts'
import type { Layer } from './layer.ts'
import { Listener } from './listener.ts'
import { type Place, TcpPlace, UnixPlace } from './place.ts'
import { ProxyLayer } from './proxy-layer.ts'
import type { TlsOptions } from './tls-files.ts'
import { TlsLayer } from './tls-layer.ts'
import { WebSocketLayer, type WebSocketOptions } from './web-socket-layer.ts'

export interface MakingParts {
  gate: Gate
  attach: (stream: Duplex, peer: Peer, refusal: Refusal | null) => void
  clock: Clock
  events: Events
  log: Logger
}

/** Of the one gate, for all listeners together. */
export function gateLimits({ limits }: Config): GateLimits {
  const { maxConnections, maxConnectionsPerAddress, connectRate, connectRatePerAddress } = limits
  return { maxConnections, maxConnectionsPerAddress, connectRate, connectRatePerAddress }
}

/** The one on TCP first: it is always there. */
export function makeListeners(
  { listeners, mqtt, limits }: Config,
  parts: MakingParts,
): [tcp: Listener, ...others: Listener[]] {
  const { tcp, tls, ws, wss, unix } = listeners
  const handshakeTimeoutMs = mqtt.connectTimeout
  const { maxHalfOpen } = limits
  const { gate } = parts

  const make = (name: Name, options: Limits, place: Place, scheme: string, path: string, layers: Layer[]) => {
    const { maxConnections, proxyProtocol = [] } = options
    const proxy = proxyProtocol.length > 0 ? [new ProxyLayer(proxyProtocol)] : []
    const isLayered = proxy.length + layers.length > 0
    const all = isLayered ? [...proxy, new GateLayer(gate, layers.length === 0), ...layers] : []
    const urlOf = ({ text }: Place): string => `${scheme}${text}${path}`
    const optionsIn = ({ listeners }: Config) => listeners[name] ?? options
    const most = { maxConnections, maxHalfOpen, handshakeTimeoutMs }
    return new Listener({ ...parts, ...most, name, place, urlOf, layers: all, optionsIn })
  }
  const secure = (name: 'tls' | 'wss', options: TlsOptions): Layer => {
    const optionsIn = ({ listeners }: Config) => listeners[name] ?? options
    return new TlsLayer({ options, optionsIn, where: `listeners.${name}` })
  }
  const webSocket = (name: 'ws' | 'wss', options: WebSocketOptions & { readonly path: string }): Layer => {
    const optionsIn = ({ listeners }: Config) => listeners[name] ?? options
    const maxPacketSize = options.maxPacketSize ?? mqtt.maxPacketSize
    return new WebSocketLayer({ path: options.path, options, optionsIn, maxPacketSize })
  }
  const port = ({ host, port }: { host: string; port: number }): Place => new TcpPlace(host, port)

  const all: [Listener, ...Listener[]] = [make('tcp', tcp, port(tcp), 'mqtt://', '', [])]
  if (tls !== null) all.push(make('tls', tls, port(tls), 'mqtts://', '', [secure('tls', tls)]))
  if (ws !== null) all.push(make('ws', ws, port(ws), 'ws://', ws.path, [webSocket('ws', ws)]))
  if (wss !== null) {
    all.push(make('wss', wss, port(wss), 'wss://', wss.path, [secure('wss', wss), webSocket('wss', wss)]))
  }
  if (unix !== null) {
    const place = new UnixPlace(unix.path, Number.parseInt(unix.mode, 8))
    all.push(make('unix', unix, place, 'unix:', '', []))
  }
  return all
}

type Name = keyof Config['listeners']

/** What clients of a listener may send, by its name, where that is not as for all. */
export function ownLimits({ listeners }: Config): OwnLimits {
  const all = new Map<string, Partial<TransportLimits>>()
  for (const [name, options] of Object.entries(listeners)) {
    if (options === null) continue
    const { maxPacketSize, messageRate, byteRate } = options
    const own = Object.entries({ maxPacketSize, messageRate, byteRate }).filter(([, value]) => value !== null)
    if (own.length > 0) all.set(name, Object.fromEntries(own))
  }
  return all
}

interface Limits {
  readonly maxConnections: number | null
  readonly proxyProtocol?: readonly string[]
}
