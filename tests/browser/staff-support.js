// Somebody of the support, who may see more than do, and what becomes of their session.
import { strict as assert } from 'node:assert'
import { ask, code, goods, place, signUp } from './shop.js'
import { button, go, heading, inspect, open } from './staff-tab.js'

/**
 * @param {string} administrator An access token.
 * @param {string} ann That of a customer.
 * @param {string} fresh
 * @param {{ id: string, number: string }} order
 * @param {(what: string, test: () => Promise<unknown>) => Promise<void>} check
 */
export async function support(administrator, ann, fresh, order, check) {
  const [{ sku }] = await goods()
  const sam = await signUp(`sam.${fresh}@example.com`)
  const tab = await open()
  /** @type {import('playwright-core').WebSocketRoute[]} */
  const sockets = []
  await tab.routeWebSocket(/ticket=/, socket => {
    socket.connectToServer()
    sockets.push(socket)
  })
  const enter = async () => {
    await tab.getByLabel('E-mail address').fill(sam.email)
    await tab.getByLabel('Password').fill(sam.password)
    await button(tab, 'Log in').click()
  }

  await check('a customer is not let in', async () => {
    await enter()
    await tab.getByText('This account is not staff.').waitFor()
  })

  await check('staff without a second factor set one up', async () => {
    await ask(administrator, 'PUT', `/v1/admin/accounts/${sam.id}/role`, { role: 'support' })
    await enter()
    await heading(tab, 'Set up a second factor').waitFor()
    await tab.getByLabel('Your password').fill('wrong password')
    await button(tab, 'Go on').click()
    await tab.locator('#main .wrong:not(:empty), #main .errors p').first().waitFor()
    await tab.getByLabel('Your password').fill(sam.password)
    await button(tab, 'Go on').click()
    const secret = String(await tab.locator('.secret').textContent()).replaceAll(' ', '')
    await inspect(tab, 'the second factor')
    await tab.getByLabel('Code that the app shows').fill(await code(secret))
    await button(tab, 'Go on').click()
    await heading(tab, 'Write these down').waitFor()
    assert.equal(await tab.locator('.codes li').count(), 10)
    await button(tab, 'I have them').click()
    await heading(tab, 'Orders').waitFor()
  })

  await check('who may not do something is not offered it, and is told so where they ask for it', async () => {
    assert.equal(await tab.getByRole('link', { name: 'Reports' }).count(), 0)
    await go(tab, `#/orders/${order.id}`, `Order ${order.number}`)
    await tab.getByText('Called twice; wants it by Friday.').waitFor()
    for (const name of ['Ship', 'Refund', 'Cancel the rest']) assert.equal(await button(tab, name).count(), 0, name)
    await go(tab, '#/reports', 'This cannot be shown')
    await tab.getByRole('alert').locator('p').first().waitFor()
    await go(tab, '#/orders', 'Orders')
    await tab.getByLabel('Find by').selectOption('email')
    await tab.getByRole('searchbox').fill('ann@example.com')
    await button(tab, 'Find').click()
    await tab.getByText('Only administrators can look for people.').waitFor()
  })

  await check('a connection that is lost is said to be, and what was missed is shown afterwards', async () => {
    const live = tab.locator('#live')
    await live.getByText('Live', { exact: true }).waitFor()
    await sockets.at(-1)?.close()
    await live.getByText('Reconnecting').waitFor()
    const missed = await place(ann, { [sku]: 1 })
    await live.getByText('Live', { exact: true }).waitFor()
    await tab.locator('.row', { hasText: missed.number }).waitFor()
  })

  await check('a session that was ended elsewhere is said to be over', async () => {
    await ask(administrator, 'DELETE', `/v1/admin/accounts/${sam.id}/sessions`)
    await place(ann, { [sku]: 1 })
    await tab.getByText('Your session has ended. Please log in again.').waitFor()
  })
  await tab.context().close()
}
