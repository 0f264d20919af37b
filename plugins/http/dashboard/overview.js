/** The broker as a whole: its counters, which become rates here, and how they went in the last minutes. */

import { Chart } from './charts.js'
import { $, el, keep, setText, showFacts } from './dom.js'
import { count, duration, rate, size } from './format.js'
import { learnAddress } from './teach.js'

const chart = (name, series, format) => new Chart($(`#chart-${name}`), series, format)
const BOTH_WAYS = [
  { name: 'received', mark: 'received' },
  { name: 'sent', mark: 'sent' },
]
const IN_QUEUES = [
  { name: 'in all', mark: 'received' },
  { name: 'in flight', mark: 'sent' },
]

const charts = {
  messages: chart('messages', BOTH_WAYS, rate),
  bytes: chart('bytes', BOTH_WAYS, size),
  clients: chart('clients', [{ name: 'now', mark: 'received' }], count),
  queues: chart('queues', IN_QUEUES, count),
}

let before = null

/** @param at when it was answered, in milliseconds */
export function showOverview(overview, at) {
  const { node, version, uptimeSeconds, listeners, store, counters, gauges, queues } = overview
  setText($('#broker'), `${node} · version ${version} · up ${duration(uptimeSeconds)} · store ${store.kind}`)
  setText($('#fault'), `The store cannot write: ${store.fault}. What clients publish waits.`)
  $('#fault').hidden = store.fault === null
  addPoints(overview, at)
  learnAddress(listeners)
  showFacts($('#facts'), [
    ['Clients', count(counters.clientsConnected)],
    ['Most at once', count(counters.clientsMaximum)],
    ['Sessions', count(gauges.sessions)],
    ['Subscriptions', count(gauges.subscriptions + gauges.sharedSubscriptions)],
    ['Queues', count(queues.count)],
    ['In queues', count(queues.messages)],
    ['In sessions', count(counters.queuedMessages)],
    ['In flight', count(gauges.inflight)],
    ['Retained', count(counters.retainedMessages)],
    ['Dropped', count(counters.publishDropped)],
  ])
  keep(
    $('#listeners'),
    listeners,
    ({ name, url }) => `${name} ${url}`,
    ({ name, url }) => ({ element: el('li', {}, `${name} `, el('code', {}, url)), update() {} }),
  )
}

/** Counters begin again with the broker: a smaller one gives no rate. */
function addPoints({ counters, queues, startedAt }, at) {
  const last = before
  before = { at, counters, startedAt }
  charts.clients.add(at / 1000, [counters.clientsConnected])
  charts.queues.add(at / 1000, [queues.messages, queues.inFlight])
  if (last === null || last.startedAt !== startedAt) return
  const perSecond = (name) => ((counters[name] - last.counters[name]) * 1000) / (at - last.at)
  charts.messages.add(at / 1000, [perSecond('publishReceived'), perSecond('publishSent')])
  charts.bytes.add(at / 1000, [perSecond('bytesReceived'), perSecond('bytesSent')])
}
