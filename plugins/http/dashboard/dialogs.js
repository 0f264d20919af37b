/** What the page asks: a token, and whether something is really meant. And what it tells in passing. */

import { $, el } from './dom.js'

const NOTICE_MS = 6_000
let asking = null

/** Asks for a token; who asks meanwhile gets the same answer. `wasWrong`: there was one, and it is not known. */
export function askToken({ code, message }, wasWrong) {
  asking ??= new Promise((resolve) => {
    const dialog = $('#token')
    const form = $('form', dialog)
    // Without tokens in the broker none can be right: only what is wrong is told.
    const none = code === 'TOKENS_MISSING'
    $('.why', dialog).textContent = none
      ? `Nobody can sign in yet: ${message}.`
      : wasWrong
        ? 'This token is not known to the broker.'
        : 'This broker asks for a token, a line of its http.tokenFile.'
    for (const part of form.querySelectorAll('label, .quiet, .actions')) part.hidden = none
    dialog.addEventListener('cancel', stay)
    form.onsubmit = (event) => {
      event.preventDefault()
      dialog.removeEventListener('cancel', stay)
      dialog.close()
      asking = null
      const token = form.elements.token.value.trim()
      form.reset()
      resolve(token)
    }
    if (!dialog.open) dialog.showModal()
  })
  return asking
}

/** Asks for the user name and password of an MQTT client. @returns them, or null */
export function askUser(why) {
  const dialog = $('#user')
  const form = $('form', dialog)
  $('.why', dialog).textContent = sentence(why)
  return new Promise((resolve) => {
    let given = null
    form.onsubmit = (event) => {
      event.preventDefault()
      given = { username: form.elements.username.value, password: form.elements.password.value }
      dialog.close()
    }
    $('.no', dialog).onclick = () => dialog.close()
    dialog.onclose = () => {
      form.elements.password.value = ''
      resolve(given)
    }
    dialog.showModal()
  })
}

/** There is nothing behind it to go back to. */
function stay(event) {
  event.preventDefault()
}

/** Asks before something is destroyed. @returns whether it is meant */
export function confirm(title, text, action) {
  const dialog = $('#confirm')
  $('h2', dialog).textContent = title
  $('#confirm-text').textContent = text
  const yes = $('.yes', dialog)
  const no = $('.no', dialog)
  yes.textContent = action
  return new Promise((resolve) => {
    let meant = false
    yes.onclick = () => {
      meant = true
      dialog.close()
    }
    no.onclick = () => dialog.close()
    dialog.onclose = () => resolve(meant)
    dialog.showModal()
    no.focus()
  })
}

/** Tells what was done, or why not; goes by itself. */
export function tell(text, kind = 'done') {
  const notice = el('p', { class: `notice ${kind}` }, text)
  const notices = $('#notices')
  // Whatever is outside of an open dialog is neither seen well nor read out.
  const dialog = [...document.querySelectorAll('dialog[open]')].at(-1)
  const place = dialog ?? document.body
  if (notices.parentElement !== place) place.append(notices)
  dialog?.addEventListener('close', () => document.body.append(notices), { once: true })
  notices.append(notice)
  setTimeout(() => notice.remove(), kind === 'done' ? NOTICE_MS : 2 * NOTICE_MS)
}

/** Does `work`; its fault is told, `undefined` answered. */
export async function attempt(work) {
  try {
    return await work()
  } catch (error) {
    tell(sentence(error.message), 'failed')
  }
}

/** The broker's words at the beginning of a sentence. */
export function sentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`
}

/** Opens `dialog`, which its button `.close` closes. */
export function open(dialog, onClose) {
  $('.close', dialog).onclick = () => dialog.close()
  dialog.onclose = onClose
  if (!dialog.open) dialog.showModal()
}
