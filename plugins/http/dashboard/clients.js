/** Clients that are connected: found by part of their identifier or user name, looked at, and disconnected. */

import { change, get, step } from './api.js'
import { attempt, confirm, open, tell } from './dialogs.js'
import { $, button, cell, el, setText, showFacts } from './dom.js'
import { count, duration } from './format.js'
import { List, row } from './list.js'

const COLUMNS = [
  { name: 'Client', kind: 'name' },
  { name: 'User', kind: 'wide' },
  { name: 'Address', kind: 'wide address' },
  { name: 'MQTT' },
  { name: 'Subscriptions', kind: 'number' },
  { name: 'In flight', kind: 'number' },
  { name: 'Waiting', kind: 'number' },
  { name: 'Actions', kind: 'actions' },
]

const list = new List({
  section: $('#clients'),
  path: 'clients',
  noun: 'clients',
  columns: COLUMNS,
  keyOf: ({ clientId }) => clientId,
  makeRow,
})
const dialog = $('#client')

export const refreshClients = () => list.refresh()

function makeRow({ clientId }) {
  const cells = COLUMNS.slice(1, 7).map((column) => cell(column))
  const look = button(clientId, () => attempt(() => openClient(clientId)), { class: 'link' })
  const leave = button('Kick…', () => kick(clientId), { 'aria-label': `Kick ${clientId}` })
  const update = ({ username, address, protocol, subscriptions, inflight, waiting }) => {
    const texts = [username ?? '–', address, protocol, count(subscriptions), count(inflight), count(waiting)]
    for (const [i, text] of texts.entries()) setText(cells[i], text)
  }
  return { element: row(cell(COLUMNS[0], look), ...cells, cell(COLUMNS[7], leave)), update }
}

async function openClient(clientId) {
  const client = await get(`clients/${step(clientId)}`)
  const { username, address, protocol, expirySeconds, connected, inflight, waiting, subscribed } = client
  setText($('h2', dialog), clientId)
  showFacts($('dl', dialog), [
    ['User', username ?? 'none'],
    ['Address', address],
    ['MQTT', protocol],
    ['Connected', connected ? 'yes' : 'no'],
    ['Session lasts', lasting(expirySeconds)],
    ['In flight', count(inflight)],
    ['Waiting', count(waiting)],
  ])
  const entries = subscribed.map(({ filter, qos }) => el('li', {}, el('code', {}, filter), ` QoS ${qos}`))
  $('.subscribed', dialog).replaceChildren(
    ...(entries.length > 0 ? entries : [el('li', { class: 'quiet' }, 'There are none.')]),
  )
  $('.kick', dialog).onclick = () => kick(clientId)
  open(dialog, null)
}

/** How long a session outlives its connection. */
function lasting(seconds) {
  if (seconds === null) return 'for ever'
  return seconds === 0 ? 'while connected' : `${duration(seconds)} longer`
}

async function kick(clientId) {
  const text = 'It is disconnected. Its session stays, its will is published, and it may connect again.'
  if (!(await confirm(`Kick ${clientId}?`, text, 'Kick'))) return
  await attempt(async () => {
    await change('DELETE', `clients/${step(clientId)}`)
    if (dialog.open) dialog.close()
    tell(`${clientId} was disconnected.`)
    await list.refresh()
  })
}
