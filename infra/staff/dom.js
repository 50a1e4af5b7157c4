/**
 * Elements, made of text and nodes only: whatever a customer calls themselves stays text, for nothing here reads HTML.
 * @module
 */

/** @typedef {Node | string | number | null | undefined | false} Child */
/** @typedef {Record<string, string | number | boolean | null | undefined | ((event: any) => unknown)>} Attributes */

/**
 * An element. What is false, null or undefined is left out, and a function listens to the event of its name.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Attributes} [attributes]
 * @param {(Child | Child[])[]} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, attributes, ...children) {
  return filled(document.createElement(tag), attributes, children)
}

/**
 * The same within a drawing.
 * @template {keyof SVGElementTagNameMap} T
 * @param {T} tag
 * @param {Attributes} [attributes]
 * @param {(Child | Child[])[]} children
 * @returns {SVGElementTagNameMap[T]}
 */
export function s(tag, attributes, ...children) {
  return filled(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children)
}

/**
 * @template {Element} E
 * @param {E} element
 * @param {Attributes} [attributes]
 * @param {(Child | Child[])[]} [children]
 * @returns {E}
 */
function filled(element, attributes = {}, children = []) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name, value)
    else if (value === true) element.setAttribute(name, '')
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, String(value))
  }
  element.append(...present(children))
  return element
}

/** @param {(Child | Child[])[]} children */
function present(children) {
  const there = children.flat().filter(child => child !== null && child !== undefined && child !== false)
  return there.map(child => (child instanceof Node ? child : String(child)))
}

/**
 * Puts other content into an element. The focus stays on the element of the same id, and what was unfolded stays so: people
 * read and type while news come in.
 * @param {Element} into
 * @param {(Child | Child[])[]} children
 */
export function swap(into, ...children) {
  const focused = into.contains(document.activeElement) ? document.activeElement?.id : undefined
  const unfolded = [...into.querySelectorAll('details[open][id]')].map(details => details.id)
  into.replaceChildren(...present(children))
  for (const id of unfolded) document.getElementById(id)?.setAttribute('open', '')
  if (focused === undefined) return
  const again = document.getElementById(focused) ?? into.querySelector('h1')
  again?.focus({ preventScroll: true })
}

/** @param {string} id */
export function byId(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id))
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let quiet

/** Tells those who do not see the page what has changed on it, when they have heard what they are hearing. @param {string} text */
export function announce(text) {
  const announcer = byId('announcer')
  announcer.append(h('p', {}, text))
  clearTimeout(quiet)
  quiet = setTimeout(() => announcer.replaceChildren(), 5_000)
}

/** A time that the reader sees in their own zone, and machines as it is. @param {string} at @param {string} shown */
export function time(at, shown) {
  return h('time', { datetime: at, title: new Date(at).toLocaleString() }, shown)
}

let last = 0
/** An id that no other element has. @param {string} prefix */
export function fresh(prefix) {
  return `${prefix}-${++last}`
}
