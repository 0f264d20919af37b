/** Clients that are connected, or all sessions: those too whose clients are away. Found by part of the client id or user name. */

import { openClient } from './client.js'
import { endSession, kick } from './client-actions.js'
import { $, button, cell, el, setNumber, setText } from './dom.js'
import { age, count, duration } from './format.js'
import { List, row } from './list.js'
import { subscribeLine } from './teach.js'

const COLUMNS = [
  { name: 'Client', kind: 'name' },
  { name: 'State', kind: 'wide' },
  { name: 'User', kind: 'wide' },
  { name: 'Address', kind: 'wide short extra' },
  { name: 'MQTT' },
  { name: 'Subscriptions', kind: 'number' },
  { name: 'In flight', kind: 'number' },
  { name: 'Waiting', kind: 'number' },
  { name: 'Actions', kind: 'actions' },
]

const which = $('#clients-which')

const list = new List({
  section: $('#clients'),
  path: () => which.value,
  query: (search) => ({ search }),
  columns: COLUMNS,
  keyOf: ({ clientId }) => clientId,
  makeRow,
  describe: (search) => {
    if (search !== '')
      return `No ${which.value === 'clients' ? 'client' : 'session'} with “${search}” in its id or user name.`
    return which.value === 'clients'
      ? ['No client is connected. One is with this, say:', subscribeLine("-i lamp -t 'home/#' -v")]
      : [
          'There are no sessions. One that outlives its connection is made with this, say:',
          subscribeLine("-i lamp -c -q 1 -t 'home/#'"),
        ]
  },
})

const refresh = () => list.refresh()

export const clientsView = { refresh }

function makeRow({ clientId }) {
  let isConnected = true
  const [stateCell, ...cells] = COLUMNS.slice(1, -1).map((column) => cell(column))
  const state = el('span', { class: 'state' })
  stateCell.append(state)
  const look = button(clientId, () => openClient(clientId, refresh), { class: 'link' })
  const act = button('', () => (isConnected ? kick : endSession)(clientId, refresh))
  const update = (session) => {
    isConnected = session.connected
    setText(state, isConnected ? 'connected' : `away ${age(session.disconnectedAt)}${leftOf(session)}`)
    state.dataset.state = isConnected ? 'good' : 'idle'
    const { username, address, protocol, subscriptions, inflight, waiting } = session
    for (const [i, text] of [username ?? '–', address, protocol].entries()) setText(cells[i], text)
    for (const [i, number] of [subscriptions, inflight, waiting].entries())
      setNumber(cells[i + 3], number, count(number))
    setText(act, isConnected ? 'Kick…' : 'End…')
    act.setAttribute('aria-label', isConnected ? `Kick ${clientId}` : `End session of ${clientId}`)
  }
  return { element: row(cell(COLUMNS[0], look), stateCell, ...cells, cell(COLUMNS.at(-1), act)), update }
}

/** How long a session is kept for a client that is away. */
function leftOf({ disconnectedAt, expirySeconds }) {
  if (expirySeconds === null) return ', kept for ever'
  const left = expirySeconds - (Date.now() - Date.parse(disconnectedAt)) / 1000
  return `, kept ${duration(Math.max(left, 0))} more`
}
