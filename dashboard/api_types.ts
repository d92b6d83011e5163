// Generated from the description of the API by `npm run api-types`; not to be edited.

export interface components {
  schemas: {
    /** @description A threshold that a tenant has crossed. */
    Alert: {
      /** Format: uuid */
      id: string;
      /** Format: uuid */
      tenant: string;
      tenantName: string;
      /** @description The threshold that was crossed, in percent. */
      threshold: number;
      /** @description What was used of the limit when it was crossed, in percent. */
      quotaPercent: number;
      /** @description Of a quota per user: who has crossed it. */
      user?: string;
      /** @description What was used when it was crossed, of a quota of tokens. */
      totalTokens?: number;
      /** @description The same, of a quota of requests. */
      totalRequests?: number;
      /** @description The same, of a quota of cost, in US dollars. */
      totalCost?: string;
      quota: {
        /**
         * Format: uuid
         * @description Of the monthly quota: the tenant's own id.
         */
        id: string;
        /** @description The only feature that it counts; absent: all. */
        feature?: string;
        /** @description The only model that it counts; absent: all. */
        model?: string;
        period: components["schemas"]["Period"];
        /** @description Tokens per period. */
        tokenLimit?: number;
        /** @description Requests per period. */
        requestLimit?: number;
        /** @description US dollars per period. */
        costLimit?: string;
        /** @description Counts the changes of the limit: each may raise the same alert again. */
        version: number;
      };
      /** Format: date-time */
      periodStart: string;
      /**
       * Format: date-time
       * @description The period's last millisecond.
       */
      periodEnd: string;
      /** Format: date-time */
      createdAt: string;
    };
    AlertPage: {
      alerts: components["schemas"]["Alert"][];
      /** @description Pass it as `after` to get the next page. The last page has none. */
      next?: string;
    };
    /** @description A key, never the key itself. */
    ApiKey: {
      /** Format: uuid */
      id: string;
      /** @description How the key begins. */
      hint: string;
      name: string;
      scopes: components["schemas"]["Scope"][];
      /**
       * Format: uuid
       * @description The only tenant it may speak of; absent: any.
       */
      tenant?: string;
      tenantName?: string;
      /** @description The only user of that tenant it may speak of; absent: any. */
      user?: string;
      /** Format: date-time */
      createdAt: string;
      /** Format: date-time */
      expiresAt?: string;
      /** Format: date-time */
      revokedAt?: string;
      /** Format: date-time */
      lastUsedAt?: string;
    };
    ApiKeyInput: {
      name: string;
      scopes: ("ingest" | "read" | "admin")[];
      /** Format: date-time */
      expiresAt?: string;
      tenant?: string;
      user?: string;
    };
    ApiKeyPage: {
      keys: components["schemas"]["ApiKey"][];
      /** @description Pass it as `after` to get the next page. The last page has none. */
      next?: string;
    };
    /** @description A change of a tenant, a quota, a webhook or a key. */
    AuditEntry: {
      /** Format: date-time */
      createdAt: string;
      /** @description Who: `key <name> (<id>)`, `cli`, `seed`, `first start`, `auto-create`, `deliver`, or the database user of a change by hand. */
      actor: string;
      /** @description What, like `tenant.updated`. */
      action: string;
      /**
       * Format: uuid
       * @description The id of what was changed.
       */
      subject: string;
      /**
       * Format: uuid
       * @description The id of its tenant.
       */
      tenant?: string;
      /** @description Its name now. Absent when the tenant is gone. */
      tenantName?: string;
      /** @description The columns before the change, without secrets. */
      before?: {
        [key: string]: unknown;
      };
      /** @description The columns after the change, without secrets. */
      after?: {
        [key: string]: unknown;
      };
    };
    AuditPage: {
      entries: components["schemas"]["AuditEntry"][];
      /** @description Pass it as `after` to get the next page. The last page has none. */
      next?: string;
    };
    /** @description What became of each event of a batch. */
    BatchResult: {
      success: boolean;
      /** @description How many events are durable. */
      accepted: number;
      /** @description How many were not recorded. */
      rejected: number;
      /** @description How many problems, the last ones, lack `detail` and `errors`: the answer would be too long. */
      withoutDetails?: number;
      /** @description One for each event, in their order. */
      results: (components["schemas"]["EventRecorded"] | components["schemas"]["EventRefused"])[];
    };
    /** @description A message to a webhook, and how its delivery went. */
    Delivery: {
      /** Format: uuid */
      id: string;
      /** Format: uuid */
      tenant: string;
      tenantName: string;
      /** Format: uuid */
      webhook: string;
      kind: components["schemas"]["WebhookKind"];
      /** @description Its path is masked: it may hold a token. */
      url: string;
      /**
       * Format: uuid
       * @description The alert it reports. Absent for a test message.
       */
      alert?: string;
      /** @description The threshold of the alert, in percent. */
      threshold?: number;
      status: components["schemas"]["DeliveryStatus"];
      /** @description Tries so far. */
      attempts: number;
      /** Format: date-time */
      nextAttemptAt?: string;
      /** @description What the receiver answered the last try, if it did. */
      responseStatus?: number;
      /** @description Why the last try failed. */
      reason?: string;
      /** Format: date-time */
      createdAt: string;
      /** Format: date-time */
      finishedAt?: string;
    };
    DeliveryPage: {
      deliveries: components["schemas"]["Delivery"][];
      /** @description Pass it as `after` to get the next page. The last page has none. */
      next?: string;
    };
    /**
     * @description pending: due, or waiting for its next try; sending: on its way; delivered and dead: at rest.
     * @enum {string}
     */
    DeliveryStatus: "pending" | "sending" | "delivered" | "dead";
    /** @description What a tenant used of a feature: its tokens, and, if known, of which model, by which user, at what cost. */
    Event: {
      /** @description Name or id of the tenant. A key that is bound to a tenant may leave it out. */
      tenant: string;
      feature: string;
      /** @description All tokens of the call. May be left out beside `usage`, which adds up to them. */
      tokens?: number;
      /** @description Tokens by pool (`input`, `cacheRead`, `cacheWrite`, `output`, `reasoning`), or the usage object of OpenAI, Anthropic, Gemini, Bedrock or the Vercel AI SDK as it came. */
      usage?: {
        [key: string]: unknown;
      };
      /** @description The model, as its provider names it. The price is looked up by it. */
      model?: string;
      /** @description The tenant's own user or key; opaque text. */
      user?: string;
      /** @description US dollars, if the sender knows them; else the cost is computed from `usage` and `model`. */
      cost?: string | number;
      /** @description Values of the dimensions that the operator has declared (`DIMENSIONS`). */
      dimensions?: {
        [key: string]: string;
      };
      /** @description Sent again with the same id, an event counts once. A UUID is kept; any other text becomes one. */
      id?: string;
      /**
       * Format: date-time
       * @description When it happened; default: now.
       */
      timestamp?: string;
    };
    /** @description The event is durable. */
    EventAccepted: {
      /** @constant */
      success: true;
      /** Format: uuid */
      eventId: string;
      /**
       * @description The tenant is beyond a hard quota. Absent when it is not, or when that is not known.
       * @constant
       */
      overQuota?: true;
    };
    /** @description The event is durable. */
    EventRecorded: {
      /** Format: uuid */
      eventId: string;
      /**
       * @description The tenant is beyond a hard quota. Absent when it is not, or when that is not known.
       * @constant
       */
      overQuota?: true;
    };
    /** @description The event was not recorded. */
    EventRefused: {
      problem: components["schemas"]["Problem"];
    };
    /**
     * @description Whether checks and reservations are allowed while PostgreSQL is away; default: checks are, reservations are not.
     * @enum {string}
     */
    FailMode: "default" | "open" | "closed";
    /** @description What was used of one feature. */
    FeatureUsage: {
      feature: string;
      totalTokens: number;
      eventCount: number;
    };
    /** @description One mistake in the input: where it is and what is wrong. */
    FieldError: {
      /** @description The field, like `tokens`; for a nested one, like `rows.3.tokens`. */
      field: string;
      /** @description What is wrong with it. */
      detail: string;
    };
    /** @description Whether events can be taken now. */
    Health: {
      /**
       * @description degraded: one of two stores is away; unhealthy: no store takes events; draining: about to stop.
       * @enum {string}
       */
      status: "healthy" | "degraded" | "unhealthy" | "draining";
      /** Format: date-time */
      timestamp: string;
      services: {
        /** @enum {string} */
        database: "up" | "down";
        /**
         * @description off: there is none by design.
         * @enum {string}
         */
        redis: "up" | "down" | "off";
      };
    };
    /** @description The process answers. */
    Liveness: {
      /** @constant */
      status: "alive";
    };
    /** @description A key that was made a moment ago. */
    NewApiKey: {
      /** Format: uuid */
      id: string;
      /** @description How the key begins. */
      hint: string;
      name: string;
      scopes: components["schemas"]["Scope"][];
      /**
       * Format: uuid
       * @description The only tenant it may speak of; absent: any.
       */
      tenant?: string;
      tenantName?: string;
      /** @description The only user of that tenant it may speak of; absent: any. */
      user?: string;
      /** Format: date-time */
      createdAt: string;
      /** Format: date-time */
      expiresAt?: string;
      /** Format: date-time */
      revokedAt?: string;
      /** Format: date-time */
      lastUsedAt?: string;
      /** @description The key itself, shown this once. */
      key: string;
    };
    /**
     * @description How often a quota starts again, in the tenant's time zone: weeks on Monday, months on the billing day.
     * @enum {string}
     */
    Period: "hour" | "day" | "week" | "month";
    /** @description Tokens by pool, of events that said their usage. */
    Pools: {
      input: number;
      cacheRead: number;
      cacheWrite: number;
      output: number;
      reasoning: number;
    };
    /** @description What a model costs from a moment on. Rates are US dollars per million tokens, `request` per call. */
    Price: {
      /**
       * Format: uuid
       * @description Absent: it is of the catalogue.
       */
      id?: string;
      model: string;
      /** @description The catalogue it comes from; absent: it is your own. */
      catalogue?: string;
      /**
       * Format: date-time
       * @description From when it applies; absent: from the beginning.
       */
      effectiveFrom?: string;
      input: string;
      output: string;
      cacheRead: string;
      cacheWrite: string;
      cacheWrite1h: string;
      reasoning: string;
      request: string;
      tiers?: {
          above: number;
          input: string;
          output: string;
          cacheRead: string;
          cacheWrite: string;
          cacheWrite1h: string;
          reasoning: string;
          request: string;
        }[];
      /** Format: date-time */
      createdAt?: string;
      /** @description With `model`: whether it is the price of the model now. */
      inForce?: boolean;
    };
    /** @description What a model costs from a moment on. */
    PriceInput: {
      /** @description A name, or the beginning of one with `*` behind it. */
      model: string;
      /**
       * Format: date-time
       * @description From when it applies; default: now.
       */
      effectiveFrom?: string;
      /** @description Input that is neither read from a cache nor written to one. */
      input: string | number;
      /** @description Output without reasoning. */
      output: string | number;
      /** @description Input read from a cache; default: as input. */
      cacheRead?: string | number;
      /** @description Input written to a cache; default: as input. */
      cacheWrite?: string | number;
      /** @description Input written to a cache for an hour; default: as cacheWrite. */
      cacheWrite1h?: string | number;
      /** @description Reasoning; default: as output. */
      reasoning?: string | number;
      /** @description For each call, whatever its tokens; in dollars; default: 0. */
      request?: string | number;
      /** @description Rates of long calls. They apply to all tokens of the call. */
      tiers?: ({
          /** @description With more input than this, cached or not, the rates of the tier apply. */
          above: number;
          /** @description Input that is neither read from a cache nor written to one. */
          input: string | number;
          /** @description Output without reasoning. */
          output: string | number;
          /** @description Input read from a cache; default: as input. */
          cacheRead?: string | number;
          /** @description Input written to a cache; default: as input. */
          cacheWrite?: string | number;
          /** @description Input written to a cache for an hour; default: as cacheWrite. */
          cacheWrite1h?: string | number;
          /** @description Reasoning; default: as output. */
          reasoning?: string | number;
          /** @description For each call, whatever its tokens; in dollars; default: 0. */
          request?: string | number;
        })[];
    };
    PricePage: {
      /** @description Where the prices come from that are not your own: public data, as of a date. */
      catalogue: {
        source: string;
        url: string;
        license: string;
        /** Format: date */
        date: string;
        models: number;
      };
      prices: components["schemas"]["Price"][];
      /** @description Pass it as `after` to get the next page. The last page has none. */
      next?: string;
    };
    /** @description The prices are set. What was recorded before keeps its cost until it is repriced. */
    PricesSet: {
      prices: components["schemas"]["Price"][];
    };
    /** @description Why a request failed (RFC 9457). Some codes add fields. */
    Problem: {
      /** @description `urn:flagmeter:problem:` and the code. */
      type: string;
      /** @description The same for every problem of this code. */
      title: string;
      /** @description The HTTP status. */
      status: number;
      code: components["schemas"]["ProblemCode"];
      /** @description What went wrong this time. */
      detail?: string;
      errors?: components["schemas"]["FieldError"][];
      [key: string]: unknown;
    };
    /** @enum {string} */
    ProblemCode: "invalid_json" | "invalid_request" | "malformed_http" | "unauthorized" | "forbidden" | "tenant_not_found" | "webhook_not_found" | "delivery_not_found" | "quota_not_found" | "user_not_found" | "reservation_not_found" | "key_not_found" | "price_not_found" | "not_found" | "method_not_allowed" | "request_timeout" | "tenant_exists" | "quota_exists" | "idempotency_key_reused" | "quota_exceeded" | "too_many_webhooks" | "body_too_large" | "batch_too_large" | "unsupported_media_type" | "timestamp_out_of_range" | "event_rejected" | "series_too_long" | "rate_limited" | "headers_too_large" | "internal" | "unavailable";
    /** @description A limit on tokens, requests or cost per period, in addition to the monthly quota of its tenant. */
    Quota: {
      /** Format: uuid */
      id: string;
      /** Format: uuid */
      tenant: string;
      tenantName: string;
      /** @description The only feature that it counts; absent: all. */
      feature?: string;
      /** @description The only model that it counts; absent: all. */
      model?: string;
      /**
       * @description It counts each user by itself; absent: all together.
       * @constant
       */
      per?: "user";
      period: components["schemas"]["Period"];
      /** @description Tokens per period. */
      tokenLimit?: number;
      /** @description Requests per period. */
      requestLimit?: number;
      /** @description US dollars per period. */
      costLimit?: string;
      /** @description Whether checks and reservations beyond it are refused; otherwise it only alerts. */
      hard: boolean;
      /** @description Percentages at which alerts are raised. */
      thresholds: number[];
      /** Format: date-time */
      createdAt: string;
    };
    QuotaChanges: {
      /** @description Tokens per period. */
      tokenLimit?: number;
      /** @description Requests per period: events and reservations. */
      requestLimit?: number;
      /** @description US dollars per period. */
      costLimit?: string | number;
      hard?: boolean;
      thresholds?: number[];
    };
    /** @description Whether the call has room in every quota. Nothing was taken. */
    QuotaCheck: {
      allowed: boolean;
      /** @description What the tightest quota has left: tokens, or requests, as it counts. */
      remaining?: number;
      /** @description The same of a quota of cost, in US dollars. */
      remainingCost?: string;
      /** @description The tightest quota. */
      quota?: components["schemas"]["QuotaUsage"];
      /**
       * Format: date-time
       * @description When it starts again at 0.
       */
      resetAt?: string;
      /**
       * @description It is a hard quota of cost, and the model has no price: it is unknown what the call takes.
       * @constant
       */
      unpriced?: true;
      /** @description How old the figures are. */
      ageMs?: number;
      /**
       * @description PostgreSQL does not answer: the tenant's `failMode` has decided, without figures.
       * @enum {string}
       */
      failMode?: "open" | "closed";
    };
    QuotaCheckInput: {
      tenant: string;
      feature: string;
      /** @description The model, as events name it. Quotas of a model, and of cost, go by it. */
      model?: string;
      /** @description The tenant's own user. Quotas per user go by it. */
      user?: string;
      /** @description The most tokens that the call may come to. */
      tokens?: number;
      /** @description Instead of `tokens`: input tokens, cached or not, at most. */
      input?: number;
      /** @description Instead of `tokens`: output tokens at most, with reasoning. */
      output?: number;
    };
    /** @description The own limit of one user. */
    QuotaException: {
      user: string;
      /** @description Tokens per period. */
      tokenLimit?: number;
      /** @description Requests per period. */
      requestLimit?: number;
      /** @description US dollars per period. */
      costLimit?: string;
      /** Format: date-time */
      createdAt: string;
    };
    QuotaExceptionPage: {
      users: components["schemas"]["QuotaException"][];
      /** @description Pass it as `after` to get the next page. The last page has none. */
      next?: string;
    };
    QuotaInput: {
      tenant: string;
      feature?: string;
      /** @description The only model that it counts; default: all. */
      model?: string;
      /**
       * @description Counts each user by itself, from its first event on. Events without a user are not counted.
       * @constant
       */
      per?: "user";
      period: components["schemas"]["Period"];
      /** @description Tokens per period. */
      tokenLimit?: number;
      /** @description Requests per period: events and reservations. */
      requestLimit?: number;
      /** @description US dollars per period. */
      costLimit?: string | number;
      hard?: boolean;
      thresholds?: number[];
    };
    QuotaLimit: {
      /** @description Tokens per period. */
      tokenLimit?: number;
      /** @description Requests per period: events and reservations. */
      requestLimit?: number;
      /** @description US dollars per period. */
      costLimit?: string | number;
    };
    QuotaPage: {
      quotas: components["schemas"]["Quota"][];
      /** @description Pass it as `after` to get the next page. The last page has none. */
      next?: string;
    };
    /** @description A quota, and what was used of it in its open period: of tokens, requests or cost, as it counts. */
    QuotaUsage: {
      /**
       * Format: uuid
       * @description Of the monthly quota: the tenant's own id.
       */
      id: string;
      /** @description The only feature that it counts; absent: all. */
      feature?: string;
      /** @description The only model that it counts; absent: all. */
      model?: string;
      /** @description Of a quota per user: whose counter it is. */
      user?: string;
      period: components["schemas"]["Period"];
      /** @description Whether checks and reservations beyond it are refused. */
      hard: boolean;
      /** @description Tokens per period. */
      tokenLimit?: number;
      /** @description Requests per period. */
      requestLimit?: number;
      /** @description US dollars per period. */
      costLimit?: string;
      /** @description Tokens used in the open period. */
      totalTokens?: number;
      /** @description Tokens held by reservations that are not settled yet. */
      reservedTokens?: number;
      /** @description Requests in the open period. */
      totalRequests?: number;
      /** @description Reservations that are not settled yet. */
      reservedRequests?: number;
      /** @description US dollars used in the open period. */
      totalCost?: string;
      /** @description US dollars held by reservations that are not settled yet. */
      reservedCost?: string;
      /** @description What is used of the limit, without what is reserved, rounded down to 0.01 %. */
      quotaPercent: number;
      /** Format: date-time */
      periodStart: string;
      /**
       * Format: date-time
       * @description When the counter starts again at 0.
       */
      resetAt: string;
    };
    /** @description Nothing of the reservation is held any more. */
    Released: {
      /** @constant */
      success: true;
    };
    RepriceInput: {
      /**
       * Format: date-time
       * @description Events that happened at this time or later.
       */
      from: string;
      /**
       * Format: date-time
       * @description Events that happened before this time.
       */
      to: string;
      tenant?: string;
      model?: string;
      /** @description The `next` of the step before. */
      after?: string;
    };
    /** @description The step is done. Every counter that has a cost was moved with the events. */
    Repriced: {
      /** @description How many events this step has looked at. */
      examined: number;
      /** @description How many of them have another cost or price than before. */
      repriced: number;
      /** @description Pass it as `after` for the next step. The last step has none. */
      next?: string;
    };
    /** @description The tokens are held. */
    Reservation: {
      id: string;
      /**
       * Format: date-time
       * @description If it is not settled by then, it lapses.
       */
      expiresAt: string;
      /** @description What the tightest quota has left: tokens, or requests, as it counts. */
      remaining?: number;
      /** @description The same of a quota of cost, in US dollars. */
      remainingCost?: string;
      /**
       * @description PostgreSQL does not answer, and the tenant's `failMode` is open: nothing is held.
       * @constant
       */
      failMode?: "open";
    };
    ReservationInput: {
      tenant: string;
      feature: string;
      /** @description The model, as events name it. Quotas of a model, and of cost, go by it. */
      model?: string;
      /** @description The tenant's own user. Quotas per user go by it. */
      user?: string;
      /** @description The most tokens that the call may come to. */
      tokens?: number;
      /** @description Instead of `tokens`: input tokens, cached or not, at most. */
      input?: number;
      /** @description Instead of `tokens`: output tokens at most, with reasoning. */
      output?: number;
      /** @default 300 */
      ttlSeconds?: number;
    };
    /** @description The messages are due now. */
    Retried: {
      /** @description How many messages are due now. */
      retried: number;
      /** @description Whether more are undelivered: call again. */
      more: boolean;
    };
    /** @description Which messages: one, those of a tenant, those of a webhook, or all. */
    RetryInput: {
      /** Format: uuid */
      delivery?: string;
      tenant?: string;
      /** Format: uuid */
      webhook?: string;
    };
    /**
     * @description What a key may do; `admin` includes the others.
     * @enum {string}
     */
    Scope: "ingest" | "read" | "admin";
    /** @description Who calls, and what they may do. */
    Session: {
      /** @description The name of the key that signed in. */
      keyName: string;
      scopes: components["schemas"]["Scope"][];
      /**
       * Format: uuid
       * @description The only tenant it may speak of; absent: any.
       */
      tenant?: string;
      tenantName?: string;
      /** @description The dimensions that events may use: `DIMENSIONS`. */
      dimensions: string[];
      /**
       * Format: date-time
       * @description When the session or its key ends; absent: never.
       */
      expiresAt?: string;
    };
    Settlement: {
      tokens?: number;
      /** @description Tokens by pool (`input`, `cacheRead`, `cacheWrite`, `output`, `reasoning`), or the usage object of OpenAI, Anthropic, Gemini, Bedrock or the Vercel AI SDK as it came. */
      usage?: {
        [key: string]: unknown;
      };
      /** @description The model, as its provider names it. The price is looked up by it. */
      model?: string;
      /** @description The tenant's own user or key; opaque text. */
      user?: string;
      /** @description US dollars, if the sender knows them; else the cost is computed from `usage` and `model`. */
      cost?: string | number;
      /** @description Values of the dimensions that the operator has declared (`DIMENSIONS`). */
      dimensions?: {
        [key: string]: string;
      };
    };
    /** @description Who is metered, with its monthly quota. */
    Tenant: {
      /** Format: uuid */
      id: string;
      name: string;
      /** @description Tokens per billing period. */
      monthlyQuota: number;
      /** @description Whether checks and reservations beyond it are refused. */
      monthlyHard: boolean;
      /** @description The day of the month on which a billing period starts. */
      billingDay: number;
      timezone: string;
      /** @description Percentages of the monthly quota at which alerts are raised. */
      thresholds: number[];
      failMode: components["schemas"]["FailMode"];
      /** Format: date-time */
      createdAt: string;
      /** @description A new billing day or time zone on its way, and how far it is. Until it is done the old ones hold. */
      rebuild?: {
        billingDay: number;
        timezone: string;
        percent: number;
      };
    };
    TenantChanges: {
      name?: string;
      monthlyQuota?: number;
      monthlyHard?: boolean;
      billingDay?: number;
      timezone?: string;
      thresholds?: number[];
      /** @enum {string} */
      failMode?: "default" | "open" | "closed";
    };
    TenantInput: {
      name: string;
      monthlyQuota?: number;
      monthlyHard?: boolean;
      billingDay?: number;
      timezone?: string;
      thresholds?: number[];
      /** @enum {string} */
      failMode?: "default" | "open" | "closed";
    };
    TenantPage: {
      tenants: components["schemas"]["Tenant"][];
      /** @description Pass it as `after` to get the next page. The last page has none. */
      next?: string;
    };
    /** @description What a tenant has used in its open billing period. */
    Usage: {
      /** Format: uuid */
      tenant: string;
      tenantName: string;
      totalTokens: number;
      eventCount: number;
      /** @description US dollars as decimal text, exact. Events whose cost is unknown are not in it. */
      cost: string;
      /** @description Events whose cost is unknown. */
      unpricedEvents: number;
      /** @description Tokens per billing period. */
      monthlyQuota: number;
      /** @description What is used of it, rounded down to 0.01 %: 100 means reached. */
      quotaPercent: number;
      /** Format: date-time */
      periodStart: string;
      /**
       * Format: date-time
       * @description The period's last millisecond.
       */
      periodEnd: string;
      pools: components["schemas"]["Pools"];
      /** @description At most 1,000, the largest first. */
      features: components["schemas"]["FeatureUsage"][];
      /** @description Every quota of the tenant, the monthly one first. */
      quotas: components["schemas"]["QuotaUsage"][];
    };
    /** @description What a tenant has used, by the values of a split. */
    UsageBy: {
      /** Format: uuid */
      tenant: string;
      tenantName: string;
      by: string;
      /** Format: date-time */
      periodStart: string;
      /**
       * Format: date-time
       * @description The period's last millisecond.
       */
      periodEnd: string;
      /** @description The largest first. Values beyond the limit are one value: (other). */
      values: components["schemas"]["ValueUsage"][];
      /** @description Pass it as `after` to get the next page. The last page has none. */
      next?: string;
    };
    UsagePage: {
      tenants: components["schemas"]["UsageSummary"][];
      /** @description Pass it as `after` to get the next page. The last page has none. */
      next?: string;
    };
    /** @description What was used in one step. */
    UsagePoint: {
      /** Format: date-time */
      start: string;
      totalTokens: number;
      eventCount: number;
      /** @description US dollars as decimal text, exact. Events whose cost is unknown are not in it. */
      cost: string;
      /** @description Events whose cost is unknown. */
      unpricedEvents: number;
    };
    /** @description Tokens over time; steps without events are left out. */
    UsageSeries: {
      /** Format: uuid */
      tenant: string;
      tenantName: string;
      feature?: string;
      /** @enum {string} */
      step: "minute" | "hour" | "day";
      /** Format: date-time */
      from: string;
      /** Format: date-time */
      to: string;
      points: components["schemas"]["UsagePoint"][];
      /** @description With `by=feature`: the ten largest features of the range, and all others together as null. */
      features?: ({
          feature: string | null;
          points: components["schemas"]["UsagePoint"][];
        })[];
      /** @description With any other `by`: the ten largest values of the range, and all others together as null. */
      values?: ({
          value: string | null;
          points: components["schemas"]["UsagePoint"][];
        })[];
    };
    /** @description What is shown of a tenant among others: its usage, its thresholds and its pace. */
    UsageSummary: {
      /** Format: uuid */
      tenant: string;
      tenantName: string;
      totalTokens: number;
      eventCount: number;
      /** @description US dollars as decimal text, exact. Events whose cost is unknown are not in it. */
      cost: string;
      /** @description Events whose cost is unknown. */
      unpricedEvents: number;
      /** @description Tokens per billing period. */
      monthlyQuota: number;
      /** @description What is used of it, rounded down to 0.01 %: 100 means reached. */
      quotaPercent: number;
      /** Format: date-time */
      periodStart: string;
      /**
       * Format: date-time
       * @description The period's last millisecond.
       */
      periodEnd: string;
      /** @description Percentages of the monthly quota at which alerts are raised. */
      thresholds: number[];
      /** @description Tokens held by reservations that are not settled yet. */
      reservedTokens: number;
      /** @description Tokens of the last 60 seconds. */
      tokensPerMinute: number;
      /** @description Tokens of the last 24 hours. */
      tokensLastDay: number;
    };
    /** @description How the open billing period of a tenant went so far. */
    UsageTrend: {
      /** Format: uuid */
      tenant: string;
      /**
       * Format: date-time
       * @description Where the first step starts.
       */
      from: string;
      stepSeconds: number;
      /** @description Tokens of each step, the oldest first. */
      totalTokens: number[];
    };
    /** @description The trends of the tenants that exist. */
    UsageTrends: {
      trends: components["schemas"]["UsageTrend"][];
    };
    /** @description The step is done. What the user has used stays counted, as the user `(forgotten)`'s. */
    UserForgotten: {
      /** @description How many raw events this step has looked at. */
      examined: number;
      /** @description How many of them were the user's. */
      forgotten: number;
      /** @description Pass it as `after` for the next step. The last step has none. */
      next?: string;
    };
    /** @description What one user has used. After the first 100,000 of a period, users are counted together, and it is 0. */
    UserUsage: {
      /** Format: uuid */
      tenant: string;
      tenantName: string;
      user: string;
      totalTokens: number;
      eventCount: number;
      pools: components["schemas"]["Pools"];
      /** @description US dollars as decimal text, exact. Events whose cost is unknown are not in it. */
      cost: string;
      /** @description Events whose cost is unknown. */
      unpricedEvents: number;
      /** Format: date-time */
      periodStart: string;
      /**
       * Format: date-time
       * @description The period's last millisecond.
       */
      periodEnd: string;
      /** @description Every quota per user, with this user's counter. */
      quotas: components["schemas"]["QuotaUsage"][];
    };
    /** @description What one value of a split has used. */
    ValueUsage: {
      value: string;
      totalTokens: number;
      eventCount: number;
      pools: components["schemas"]["Pools"];
      /** @description US dollars as decimal text, exact. Events whose cost is unknown are not in it. */
      cost: string;
      /** @description Events whose cost is unknown. */
      unpricedEvents: number;
    };
    /** @description Where alerts of a tenant are sent. */
    Webhook: {
      /** Format: uuid */
      id: string;
      /** Format: uuid */
      tenant: string;
      tenantName: string;
      kind: components["schemas"]["WebhookKind"];
      /** @description Its path is masked: it may hold a token. */
      url: string;
      enabled: boolean;
      /** Format: date-time */
      createdAt: string;
      /**
       * Format: date-time
       * @description Until then, after a rotation, the previous secret signs as well.
       */
      previousSecretExpiresAt?: string;
    };
    WebhookChanges: {
      url?: string;
      enabled?: boolean;
    };
    WebhookInput: {
      tenant: string;
      kind: components["schemas"]["WebhookKind"];
      url: string;
      /** @default true */
      enabled?: boolean;
    };
    /**
     * @description slack: a text for a Slack incoming webhook. standard: a signed event (Standard Webhooks).
     * @enum {string}
     */
    WebhookKind: "slack" | "standard";
    WebhookPage: {
      webhooks: components["schemas"]["Webhook"][];
      /** @description Pass it as `after` to get the next page. The last page has none. */
      next?: string;
    };
    /** @description A webhook with its new signing secret. */
    WebhookWithSecret: {
      /** Format: uuid */
      id: string;
      /** Format: uuid */
      tenant: string;
      tenantName: string;
      kind: components["schemas"]["WebhookKind"];
      /** @description Its path is masked: it may hold a token. */
      url: string;
      enabled: boolean;
      /** Format: date-time */
      createdAt: string;
      /**
       * Format: date-time
       * @description Until then, after a rotation, the previous secret signs as well.
       */
      previousSecretExpiresAt?: string;
      /** @description The signing secret, shown this once. A slack webhook has none. */
      secret?: string;
    };
  };
  responses: never;
  parameters: never;
  requestBodies: never;
  headers: never;
  pathItems: never;
}

export type Alert = components['schemas']['Alert']
export type AlertPage = components['schemas']['AlertPage']
export type ApiKey = components['schemas']['ApiKey']
export type ApiKeyInput = components['schemas']['ApiKeyInput']
export type ApiKeyPage = components['schemas']['ApiKeyPage']
export type AuditEntry = components['schemas']['AuditEntry']
export type AuditPage = components['schemas']['AuditPage']
export type BatchResult = components['schemas']['BatchResult']
export type Delivery = components['schemas']['Delivery']
export type DeliveryPage = components['schemas']['DeliveryPage']
export type DeliveryStatus = components['schemas']['DeliveryStatus']
export type Event = components['schemas']['Event']
export type EventAccepted = components['schemas']['EventAccepted']
export type EventRecorded = components['schemas']['EventRecorded']
export type EventRefused = components['schemas']['EventRefused']
export type FailMode = components['schemas']['FailMode']
export type FeatureUsage = components['schemas']['FeatureUsage']
export type FieldError = components['schemas']['FieldError']
export type Health = components['schemas']['Health']
export type Liveness = components['schemas']['Liveness']
export type NewApiKey = components['schemas']['NewApiKey']
export type Period = components['schemas']['Period']
export type Pools = components['schemas']['Pools']
export type Price = components['schemas']['Price']
export type PriceInput = components['schemas']['PriceInput']
export type PricePage = components['schemas']['PricePage']
export type PricesSet = components['schemas']['PricesSet']
export type Problem = components['schemas']['Problem']
export type ProblemCode = components['schemas']['ProblemCode']
export type Quota = components['schemas']['Quota']
export type QuotaChanges = components['schemas']['QuotaChanges']
export type QuotaCheck = components['schemas']['QuotaCheck']
export type QuotaCheckInput = components['schemas']['QuotaCheckInput']
export type QuotaException = components['schemas']['QuotaException']
export type QuotaExceptionPage = components['schemas']['QuotaExceptionPage']
export type QuotaInput = components['schemas']['QuotaInput']
export type QuotaLimit = components['schemas']['QuotaLimit']
export type QuotaPage = components['schemas']['QuotaPage']
export type QuotaUsage = components['schemas']['QuotaUsage']
export type Released = components['schemas']['Released']
export type RepriceInput = components['schemas']['RepriceInput']
export type Repriced = components['schemas']['Repriced']
export type Reservation = components['schemas']['Reservation']
export type ReservationInput = components['schemas']['ReservationInput']
export type Retried = components['schemas']['Retried']
export type RetryInput = components['schemas']['RetryInput']
export type Scope = components['schemas']['Scope']
export type Session = components['schemas']['Session']
export type Settlement = components['schemas']['Settlement']
export type Tenant = components['schemas']['Tenant']
export type TenantChanges = components['schemas']['TenantChanges']
export type TenantInput = components['schemas']['TenantInput']
export type TenantPage = components['schemas']['TenantPage']
export type Usage = components['schemas']['Usage']
export type UsageBy = components['schemas']['UsageBy']
export type UsagePage = components['schemas']['UsagePage']
export type UsagePoint = components['schemas']['UsagePoint']
export type UsageSeries = components['schemas']['UsageSeries']
export type UsageSummary = components['schemas']['UsageSummary']
export type UsageTrend = components['schemas']['UsageTrend']
export type UsageTrends = components['schemas']['UsageTrends']
export type UserForgotten = components['schemas']['UserForgotten']
export type UserUsage = components['schemas']['UserUsage']
export type ValueUsage = components['schemas']['ValueUsage']
export type Webhook = components['schemas']['Webhook']
export type WebhookChanges = components['schemas']['WebhookChanges']
export type WebhookInput = components['schemas']['WebhookInput']
export type WebhookKind = components['schemas']['WebhookKind']
export type WebhookPage = components['schemas']['WebhookPage']
export type WebhookWithSecret = components['schemas']['WebhookWithSecret']
