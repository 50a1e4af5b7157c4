/**
 * The staff page: who is logged in, and which part of it is shown. What comes after `#` in the address is where one is, so that
 * it can be served as plain files, kept as a bookmark and gone back to.
 * @module
 */
import { account, logOut, mayManage, onOver, resume } from './api.js'
import { announce, byId, h, swap } from './dom.js'
import { connect, disconnect, listen } from './feed.js'
import { show } from './form.js'
import { showLogIn, showSetUp } from './log-in.js'
import { showOrder } from './order.js'
import { showOrders } from './orders.js'
import { showReports } from './reports.js'
import { showStock } from './stock.js'

/** @typedef {{ path: string[], parameters: URLSearchParams }} Place */
/** @typedef {(main: HTMLElement, place: Place) => Promise<import('./feed.js').Listener | undefined>} View Answers who is told of news. */

/** @type {Record<string, { title: string, view: View, forManagers?: boolean }>} */
const PARTS = {
  orders: { title: 'Orders', view: (main, place) => (place.path.length > 1 ? showOrder : showOrders)(main, place) },
  reports: { title: 'Reports', view: showReports, forManagers: true },
  stock: { title: 'Stock', view: showStock },
}

/** @returns {Place} */
function place() {
  const [path, search] = location.hash.replace(/^#\/?/, '').split('?')
  const parts = path.split('/').map(decodeURIComponent).filter(Boolean)
  return { path: parts.length > 0 ? parts : ['orders'], parameters: new URLSearchParams(search) }
}

/** The part and what of it was shown last: filters of a list are no other place to be. */
let shown = ''
/** Which time something is shown: what is late does not draw over what came after it. */
let turn = 0

async function go() {
  if (!account()) return
  const where = place()
  const part = PARTS[where.path[0]] ?? PARTS.orders
  listen(undefined)
  for (const link of document.querySelectorAll('nav a')) {
    if (link.getAttribute('href') === `#/${where.path[0]}`) link.setAttribute('aria-current', 'page')
    else link.removeAttribute('aria-current')
  }
  document.title = `${part.title} · Waybill staff`
  const view = h('div', { class: 'view' })
  const main = byId('main')
  const here = where.path.join('/')
  const isElsewhere = here !== shown
  const mine = ++turn
  main.setAttribute('aria-busy', 'true')
  try {
    if (isElsewhere) swap(main, h('p', { class: 'loading' }, 'Loading …'))
    const listener = await part.view(view, where)
    if (mine !== turn) return
    listen(listener)
    swap(main, view)
  } catch (error) {
    if (mine !== turn) return
    fail(main, error, go)
  }
  main.removeAttribute('aria-busy')
  if (isElsewhere) {
    shown = here
    scrollTo(0, 0)
    // Whoever hears the page instead of seeing it hears where they are now.
    main.querySelector('h1')?.focus()
  }
}

/** @param {HTMLElement} main @param {unknown} error @param {() => void} retry */
function fail(main, error, retry) {
  const box = h('div', { class: 'errors', role: 'alert', tabindex: -1 })
  const again = h('button', { click: retry }, 'Try again')
  if (!account()) return
  swap(main, h('div', { class: 'view' }, h('h1', { tabindex: -1 }, 'This cannot be shown'), box, again))
  show(error, [], box)
}

/** @type {Record<string, [string, string]>} */
const STATES = {
  live: ['Live', 'Changes are shown as they happen.'],
  waiting: ['Reconnecting …', 'The connection was lost. What is missed meanwhile will be shown.'],
  off: ['Not live', 'Changes are not shown by themselves. Reload the page to see them.'],
}

/** How the connection was said to be. */
let said = ''

/** @param {'live' | 'waiting' | 'off'} state */
function showState(state) {
  const indicator = document.getElementById('live')
  if (!indicator || state === said) return
  const [word, meaning] = STATES[state]
  indicator.className = `live ${state}`
  indicator.title = meaning
  swap(indicator, word)
  // The first connection is nothing to talk about.
  if (said) announce(state === 'live' ? 'Connected again.' : meaning)
  if (said || state === 'live') said = state
}

function open() {
  const who = account()
  if (!who) return
  if (who.role === 'customer') {
    logOut()
    return logInAgain('This account is not staff. An administrator can give it a role.')
  }
  if (!who.second_factor) return showSetUp(byId('main'), open)
  const parts = Object.entries(PARTS).filter(([, { forManagers }]) => !forManagers || mayManage())
  const links = parts.map(([path, { title }]) => h('li', {}, h('a', { href: `#/${path}` }, title)))
  const leave = h('button', { id: 'log-out', class: 'quiet', click: async () => (await logOut(), logInAgain('You are logged out.')) }, 'Log out')
  const header = h('header', {},
    h('p', { class: 'brand' }, h('a', { href: '#/orders' }, 'Waybill')),
    h('nav', { 'aria-label': 'Parts' }, h('ul', {}, links)),
    h('p', { id: 'live', class: 'live waiting' }, 'Connecting …'),
    h('p', { class: 'who' }, h('span', { title: `${who.email}, ${who.role}` }, who.email), leave),
  )
  document.querySelector('header')?.remove()
  byId('page').prepend(header)
  said = ''
  shown = ''
  connect(showState)
  go()
}

/** @param {string} reason */
function logInAgain(reason) {
  disconnect()
  for (const dialog of document.querySelectorAll('dialog')) dialog.remove()
  document.querySelector('header')?.remove()
  showLogIn(byId('main'), reason, open)
}

onOver(logInAgain)
addEventListener('hashchange', go)
const skip = document.querySelector('.skip')
// The address is taken by where one is.
skip?.addEventListener('click', event => (event.preventDefault(), byId('main').focus()))
resume().then(
  isKnown => (isKnown ? open() : document.querySelector('.log-in') || logInAgain('')),
  error => fail(byId('main'), error, () => location.reload()),
)
