/** A long list as a table: searched in the broker, the first hundred entries, more on demand; shown again every few seconds. */

import { get } from './api.js'
import { $, el, keep, setText, showHead } from './dom.js'

const PAGE = 100
/** What the API gives at once. */
const MOST = 1000
const TYPING_MS = 200

export class List {
  #section
  #path
  #keyOf
  #makeRow
  #noun
  #limit = PAGE
  #turn = 0

  /**
   * @param section with a table, a search field, `.empty` and `.more`
   * @param path of the API: `queues`
   * @param columns `[{ name, kind }]`
   * @param makeRow gives `{ element, update }`
   */
  constructor({ section, path, noun, columns, keyOf, makeRow }) {
    this.#section = section
    this.#path = path
    this.#noun = noun
    this.#keyOf = keyOf
    this.#makeRow = makeRow
    showHead($('table', section), columns)
    let timer
    $('input[type=search]', section).addEventListener('input', () => {
      clearTimeout(timer)
      this.#limit = PAGE
      timer = setTimeout(() => this.refresh(), TYPING_MS)
    })
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
      const { items, next } = await get(this.#path, { search, limit: this.#limit })
      // An answer that comes after that of a later question is of no interest.
      if (turn === this.#turn) this.#show(items, next, search)
    } catch (error) {
      if (turn === this.#turn) this.#tell(`The ${this.#noun} cannot be read: ${error.message}.`)
    }
  }

  #show(items, next, search) {
    keep($('tbody', this.#section), items, this.#keyOf, this.#makeRow)
    $('table', this.#section).hidden = items.length === 0
    $('.more', this.#section).hidden = next === null || this.#limit === MOST
    const none = search === '' ? `There are no ${this.#noun}.` : `No ${this.#noun} with “${search}”.`
    if (items.length === 0) this.#tell(none)
    else this.#tell(next !== null && this.#limit === MOST ? `These are the first ${MOST}; search for others.` : '')
  }

  #tell(text) {
    const place = $('.empty', this.#section)
    setText(place, text)
    place.hidden = text === ''
  }
}

export const row = (...cells) => el('tr', { role: 'row' }, ...cells)
