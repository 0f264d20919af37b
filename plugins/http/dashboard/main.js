/** The page put together: one view at a time, named in the address, and what is asked of the broker every two seconds. */

import { forgetToken, get, tokenInUse } from './api.js'
import { clientsView } from './clients.js'
import { consoleView } from './console.js'
import { tell } from './dialogs.js'
import { $, setText } from './dom.js'
import { eventsView } from './events.js'
import { showOverview } from './overview.js'
import { queuesView } from './queues.js'
import { retainedView } from './retained.js'

const POLL_MS = 2_000
/** A broker that takes long to answer is asked less often. */
const SHARE = 4

/** By name: `{ refresh?, open?, close? }`; `refresh` is called every two seconds while the view is there. */
const VIEWS = {
  overview: {},
  queues: queuesView,
  clients: clientsView,
  retained: retainedView,
  events: eventsView,
  console: consoleView,
}

let view = null
let startedAt = null

function showView() {
  const next = location.hash.slice(1) || 'overview'
  // Other names are places on the page, such as that of the link that skips to the content.
  if (next === view || !(next in VIEWS)) return
  const before = view
  view = next
  for (const name of Object.keys(VIEWS)) {
    $(`#${name}`).hidden = name !== view
    const link = $(`nav a[href="#${name}"]`)
    if (name === view) link.setAttribute('aria-current', 'page')
    else link.removeAttribute('aria-current')
  }
  document.title = `${$(`#${view} h2`).textContent} – Eventflow`
  if (before !== null) scrollTo(0, 0)
  VIEWS[before]?.close?.()
  VIEWS[view].open?.()
  VIEWS[view].refresh?.()
}

function showState(state, text) {
  $('#state').dataset.state = state
  setText($('#state .text'), text)
}

async function poll() {
  const began = performance.now()
  try {
    showAnswer(await get('overview'))
    if (!document.hidden) await VIEWS[view].refresh?.()
  } catch (error) {
    showSilence(error)
  }
  setTimeout(poll, Math.max(POLL_MS, SHARE * (performance.now() - began)))
}

function showAnswer(overview) {
  showOverview(overview, Date.now())
  const { fault } = overview.store
  showState(fault === null ? 'good' : 'bad', fault === null ? 'running' : 'store fault')
  $('#away').hidden = true
  $('#forget').hidden = tokenInUse() === null
  if (startedAt !== null && overview.startedAt !== startedAt) tell('The broker was started again.')
  startedAt = overview.startedAt
}

/** What is on the page stays there to be read. */
function showSilence({ message }) {
  showState('bad', 'not connected')
  setText($('#away'), `This is as it was: ${message}. The page tries again every few seconds, and goes on by itself.`)
  $('#away').hidden = false
}

$('#forget').addEventListener('click', forgetToken)
addEventListener('hashchange', showView)
if (!(location.hash.slice(1) in VIEWS)) history.replaceState(null, '', '#overview')
showView()
poll()
