import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

/** Azure's own service, the same public address inside each of its networks. No list of ranges knows it. */
const AZURE_WIRE_SERVER = '168.63.129.16'

/** What IANA gives out of IPv6 (RFC 4291, section 2.4). Outside are, among others, the old addresses ::a.b.c.d. */
const GLOBAL_UNICAST = ipaddr.parseCIDR('2000::/3')

/**
 * Whether an IP address is one of the public Internet: not loopback, private, link-local (with the metadata services),
 * shared (CGNAT), multicast, reserved, nor an IPv6 address that carries an IPv4 one (mapped, NAT64, 6to4, Teredo).
 * The ranges are those of the IANA special-purpose registries (RFC 6890), kept by ipaddr.js.
 */
export function isPublicAddress(address: string): boolean {
  if (isIP(address) === 0 || address === AZURE_WIRE_SERVER) return false
  const parsed = ipaddr.parse(address)
  return parsed.range() === 'unicast' && (parsed.kind() === 'ipv4' || parsed.match(GLOBAL_UNICAST))
}

/** The host of a URL, an IPv6 address without its brackets. `new URL` has normalised every spelling of IPv4. */
const hostnameOf = (url: string): string => new URL(url).hostname.replace(/^\[(.*)\]$/, '$1')

/**
 * What is wrong with a webhook's URL; undefined: nothing. A name may still resolve to a private address:
 * that is checked when it is connected to (`post`).
 */
export function urlMistake(url: string, allowPrivate: boolean): string | undefined {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    return 'must be a URL like https://example.com/hook'
  const { protocol, username, password } = new URL(url)
  if (username !== '' || password !== '') return 'must not hold a user name or password'
  if (allowPrivate) return undefined
  if (protocol !== 'https:') return 'must begin with https:// (WEBHOOK_ALLOW_PRIVATE=true allows http for local use)'
  const host = hostnameOf(url)
  // RFC 6761: every name under localhost is loopback, whatever a resolver says.
  if ((isIP(host) !== 0 && !isPublicAddress(host)) || /(^|\.)localhost\.?$/.test(host)) {
    return 'must not be a private or local address (WEBHOOK_ALLOW_PRIVATE=true allows it)'
  }
  return undefined
}
