/** A long list as a table: searched in the broker, the first hundred entries, more on demand; shown again whenever it is refreshed. */

import { get } from './api.js'
import { $, el, keep, showHead } from './dom.js'

const PAGE = 100
/** What the API gives at once. */
const MOST = 1000
const TYPING_MS = 200

export class List {
  #section
  #path
  #query
  #keyOf
  #makeRow
  #describe
  #limit = PAGE
  #turn = 0

  /**
   * @param section with a table, a search field, maybe a choice, `.empty` and `.more`
   * @param path of the API: a function that says `queues`
   * @param query a function of what is in the search field
   * @param columns `[{ name, kind }]`
   * @param makeRow gives `{ element, update }`
   * @param describe what is there when nothing is: a function of what was searched for that gives elements or text
   */
  constructor({ section, path, query, columns, keyOf, makeRow, describe }) {
    this.#section = section
    this.#path = path
    this.#query = query
    this.#keyOf = keyOf
    this.#makeRow = makeRow
    this.#describe = describe
    showHead($('table', section), columns)
    let timer
    $('input[type=search]', section).addEventListener('input', () => {
      clearTimeout(timer)
      this.#limit = PAGE
      timer = setTimeout(() => this.refresh(), TYPING_MS)
    })
    $('select', section)?.addEventListener('change', () => this.refresh())
    $('.more', section).addEventListener('click', () => {
      this.#limit = Math.min(this.#limit + PAGE, MOST)
      this.refresh()
    })
  }

  /** Never rejects: what went wrong is told below the list. */
  async refresh() {
    const turn = ++this.#turn
    const search = $('input[type=search]', this.#section).value
    try {
      const { items, next } = await get(this.#path(), { ...this.#query(search), limit: this.#limit })
      // An answer that comes after that of a later question is of no interest.
      if (turn === this.#turn) this.#show(items, next, search)
    } catch (error) {
      if (turn === this.#turn) this.#tell(`This cannot be read: ${error.message}.`)
    }
  }

  #show(items, next, search) {
    keep($('tbody', this.#section), items, this.#keyOf, this.#makeRow)
    $('table', this.#section).hidden = items.length === 0
    $('.more', this.#section).hidden = next === null || this.#limit === MOST
    if (items.length === 0) this.#tell(this.#describe(search))
    else this.#tell(next !== null && this.#limit === MOST ? `These are the first ${MOST}; search for others.` : '')
  }

  #tell(content) {
    const place = $('.empty', this.#section)
    place.hidden = content === ''
    const parts = [content].flat().map((part) => (typeof part === 'string' ? el('p', {}, part) : part))
    const shown = el('div', {}, ...parts)
    // What is there already stays, so that somebody can mark a line of it.
    if (place.firstElementChild?.textContent !== shown.textContent) place.replaceChildren(shown)
  }
}

export const row = (...cells) => el('tr', { role: 'row' }, ...cells)
