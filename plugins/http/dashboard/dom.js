/**
 * Elements, made and kept up to date. What clients say (topics, payloads, identifiers) becomes text and nothing else: nothing here
 * or elsewhere on this page takes HTML.
 */

export const $ = (selector, root = document) => root.querySelector(selector)

/** An element; `attributes` of the page's own making, children as elements or text. */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value)
  element.append(...children)
  return element
}

export function button(text, onClick, attributes = {}) {
  const element = el('button', { type: 'button', ...attributes }, text)
  element.addEventListener('click', onClick)
  return element
}

/** Changes text only when it is another: what a reader has marked stays marked. */
export function setText(element, text) {
  if (element.textContent !== String(text)) element.textContent = text
}

/** A number of a table: where there are none it is quiet, so that the others are seen. */
export function setNumber(element, number, text) {
  setText(element, text)
  element.classList.toggle('zero', !number)
}

const kept = new WeakMap()

/**
 * Makes the children of `parent` show `items`, one each, in their order. Those that were there stay the same elements, so that focus
 * stays where it is while the list changes.
 * @param keyOf what tells items apart
 * @param make gives `{ element, update }` for a new item
 */
export function keep(parent, items, keyOf, make) {
  const before = kept.get(parent) ?? new Map()
  const after = new Map()
  let place = parent.firstElementChild
  for (const item of items) {
    const key = keyOf(item)
    const entry = before.get(key) ?? make(item)
    before.delete(key)
    after.set(key, entry)
    entry.update(item)
    if (entry.element === place) place = place.nextElementSibling
    else parent.insertBefore(entry.element, place)
  }
  for (const { element } of before.values()) element.remove()
  kept.set(parent, after)
}

/** Pairs of name and value in a `dl`. */
export function showFacts(list, facts) {
  keep(
    list,
    facts,
    ([name]) => name,
    ([name]) => {
      const value = el('dd')
      return { element: el('div', {}, el('dt', {}, name), value), update: ([, text]) => setText(value, text) }
    },
  )
}

/**
 * The head of a table; on a phone, where rows are cards, each cell tells its column itself (`cell`). Browsers take what is not laid
 * out as a table for none, so the roles are said.
 */
export function showHead(table, columns) {
  table.setAttribute('role', 'table')
  for (const part of table.children) part.setAttribute('role', 'rowgroup')
  const cells = columns.map(({ name, kind = '' }) =>
    el('th', { scope: 'col', role: 'columnheader', class: kind }, name),
  )
  $('thead', table).replaceChildren(el('tr', { role: 'row' }, ...cells))
}

export function cell({ name, kind = '' }, ...children) {
  return el('td', { role: 'cell', class: kind, 'data-name': name }, ...children)
}
