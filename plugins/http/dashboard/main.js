/** The page put together: one view at a time, named in the address, and what is asked of the broker every two seconds. */

import { forgetToken, get, hasToken } from './api.js'
import { refreshClients } from './clients.js'
import { $, setText } from './dom.js'
import { closeEvents, openEvents } from './events.js'
import { showOverview } from './overview.js'
import './publish.js'
import { refreshQueues } from './queues.js'

const POLL_MS = 2_000
const VIEWS = ['overview', 'queues', 'clients', 'events', 'publish']
const REFRESH = { queues: refreshQueues, clients: refreshClients }

let view = null

function showView() {
  const next = location.hash.slice(1) || 'overview'
  // Other names are places on the page, such as that of the link that skips to the content.
  if (next === view || !VIEWS.includes(next)) return
  const isFirst = view === null
  view = next
  for (const name of VIEWS) {
    $(`#${name}`).hidden = name !== view
    const link = $(`nav a[href="#${name}"]`)
    if (name === view) link.setAttribute('aria-current', 'page')
    else link.removeAttribute('aria-current')
  }
  const title = $(`#${view} h2`).textContent
  document.title = `${title} – Eventflow`
  if (!isFirst) scrollTo(0, 0)
  if (view === 'events') openEvents()
  else closeEvents()
  refreshView()
}

async function refreshView() {
  await REFRESH[view]?.().catch(() => {})
}

function showState(state, text) {
  $('#state').dataset.state = state
  setText($('#state .text'), text)
}

async function poll() {
  try {
    const overview = await get('overview')
    showOverview(overview, Date.now())
    showState(overview.store.fault === null ? 'good' : 'bad', overview.store.fault === null ? 'running' : 'store fault')
    $('#forget').hidden = !hasToken()
    if (!document.hidden) await refreshView()
  } catch (error) {
    showState('bad', error.message)
  }
  setTimeout(poll, POLL_MS)
}

$('#forget').addEventListener('click', forgetToken)
addEventListener('hashchange', showView)
if (!VIEWS.includes(location.hash.slice(1))) history.replaceState(null, '', '#overview')
showView()
poll()
