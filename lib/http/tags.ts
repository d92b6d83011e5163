/** The headings of the API's description, in the order in which a newcomer needs them. */
export const TAGS = {
  Events: 'Report what was used.',
  Quotas: 'Limits on tokens per period, and whether there is room left.',
  Reservations: 'Hold tokens before a call to a model, then settle what it came to.',
  Usage: 'What tenants have used, and how fast.',
  Prices: 'What models cost.',
  Alerts: 'Crossed thresholds, the webhooks that receive them, and how each delivery went.',
  Tenants: 'Who is metered.',
  Keys: 'Who may call the API, and who changed what.',
  Session: 'How a browser signs in.',
  Service: 'Health, metrics and this description.',
} as const

export type Tag = keyof typeof TAGS
