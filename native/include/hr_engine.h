/* hr_engine.h: the quoting engine of one underlying, in memory of the caller's.
 *
 * Python, or from the next issue a C thread, feeds it parameter blocks (whole structs), ticks and
 * fills, and takes decisions: the quotes that should move now. One thread at a time. Prices are
 * coin per coin of amount (inverse options); greeks are per coin of amount unless they say `book`.
 *
 * Half-spread and skew. With exponential demand the optimal quotes of a market maker are a
 * constant half-spread around a reservation price that is linear in inventory (Gueant, Lehalle,
 * Fernandez-Tapia 2013, asymptotic form); for a book of options hedged in the underlying the
 * inventory enters through its vega alone, the shift of an option being its own vega times the
 * slope of the value function in book vega (Baldacci, Bergault, Gueant 2021, equations 3.2-3.4).
 * We keep that form, linear in book delta, book vega, vega of the expiry and vega of the strike
 * region, with a quadratic value function: shift = -(delta_i a D + vega_i (b V + c V_T + d V_K)).
 *
 * The least half-spread pays fee, uncertainty and a margin. We quote wider, up to `patience_ratio`
 * of it, as long as one step inside the nearest rival is enough to be first in line. When ours is
 * the best price the venue shows no rival: the last one seen is thought further away by and by,
 * until a wider quote finds out. Beyond a |delta| and a tenor we do not contest: there the flow is
 * informed, and we quote uncertainty at a multiple.
 */
#ifndef HR_ENGINE_H
#define HR_ENGINE_H

#include "hedgerow.h"
#include "hr_gate.h"

/* cdef: begin */
#define HR_ENGINE_SLICES_MAX 64
#define HR_ENGINE_REGIONS 3 /* Downside wing, middle, upside wing, by call delta. */
#define HR_ENGINE_INSTRUMENTS_MAX 4096

#define HR_SIDE_BID 0
#define HR_SIDE_ASK 1
#define HR_SIDES_BOTH 3 /* Bits of the two: 1 the bid, 2 the ask. */

/* An option, as the engine needs it. A slot with `is_listed` 0 is empty: nothing is quoted. */
typedef struct {
    int64_t expiry_ns;
    int64_t step_above_ticks; /* 0: one grid for all prices. */
    int64_t step_ticks;
    double strike_usd;
    double tick_coin;
    double lot_coin;
    int32_t is_call;
    int32_t is_listed;
} hr_engine_instrument;

/* One expiry: raw SVI total variance at `years`, held as volatility until the next block. */
typedef struct {
    int64_t expiry_ns;
    double years;         /* To expiry at the fit, ACT/365. */
    double forward_ratio; /* Forward over index. */
    double a;
    double b;
    double rho;
    double m;
    double sigma;
} hr_engine_slice;

typedef struct {
    int64_t version;
    int64_t market_ns; /* Market time of the newest tick in the fit. */
    int64_t slice_count;
    hr_engine_slice slices[HR_ENGINE_SLICES_MAX];
} hr_engine_surface;

typedef struct {
    int64_t version;
    double fee_coin;         /* Venue's fee per coin of amount, */
    double fee_price_ratio;  /* but no more than this share of the price. */
    double edge_coin;        /* Kept beyond fees and uncertainty. */
    double edge_price_ratio; /* and again no more than this share of the price. */
    double vol_half;         /* Uncertainty of volatility at `vol_years`, 0.01 = one point. */
    double vol_years;
    double vol_wing_ratio;      /* More of it towards |delta| 0 and 1. */
    double vol_age_ratio_per_s; /* More of it as the surface ages. */
    double spot_sigmas;         /* Index uncertainty counted: standard deviations over */
    double spot_horizon_s;      /* the time a quote takes to follow. */
    double spot_vol_floor;      /* Annual; realised volatility counts from here. */
    double realised_half_life_s;
    double widen_ratio; /* Volatility uncertainty grows by this per multiple of the floor. */
    double widen_max;
    double half_spread_coin_max;
    double away_ratio; /* Uncertainty of volatility counts this often where we do not contest. */
    double rounding_ratio;    /* Share of the average gain by rounding that is counted on. */
    double patience_ratio;    /* The half-spread where no rival presses us, times the least. */
    double improve_delta_max; /* Rivals are followed up to this |delta| */
    double improve_years_max; /* and tenor; elsewhere flow is not worth its price. */
    double rival_relax_s;     /* An unseen rival is thought a least half-spread further per this. */
    double skew_delta_ratio;  /* a: shift of the index (ratio) per coin of book delta. */
    double skew_vega_vol;     /* b: shift of volatility (0.01 = a point) per USD of book vega. */
    double skew_term_vol;     /* c: the same for the vega of the expiry, */
    double skew_region_vol;   /* d: and of the strike region. */
    double skew_half_spreads_max;
    double flow_delta_ratio; /* As a and b, for what was filled in the last moments: */
    double flow_vega_vol;    /* fills of one direction foretell the price. */
    double flow_half_life_s;
    double taper_ratio;        /* Sizes shrink from this usage of a limit on. */
    double move_urgent_ratio;  /* Edge lost that moves a quote, share of the half-spread. */
    double move_passive_ratio; /* Edge in excess that moves it. */
    double delta_min;          /* Quoted range, |call or put delta|; */
    double delta_max;
    double range_hysteresis; /* left later than entered by this much delta. */
    double theo_ticks_min;   /* Cheaper options are not quoted two-sided. */
    double
        gamma_window_ratio; /* Nor those whose gamma, for a whole window, is more of its limit. */
    double quotes_per_s;    /* Budget of quote messages, with its burst. */
    double quotes_burst;
    double window_quantity_coin; /* The desk's own protection window, inside the venue's. */
    double window_delta_coin;
    double window_vega_usd;
    int64_t window_count;
    int64_t window_ns;
    int64_t freeze_ns;
    int64_t tenor_ns_min;
    int64_t tenor_ns_max;
    int64_t amount_lots;
    int64_t quoted_max; /* Instruments. */
    int32_t is_skewed;  /* 0: no inventory skew, no flow shift. */
    int32_t reserved;
} hr_engine_policy;

/* What an option is worth now. */
typedef struct {
    double years;
    double forward_usd;
    double vol;
    double theo_coin;
    double call_delta; /* N(d1) of the call of this strike. */
    double delta_coin; /* Net transaction delta: N(d1) or N(d1) - 1, less the price. */
    double vega_coin;  /* Price in coin per 1.0 of volatility. */
    double vega_usd;   /* USD per volatility point. */
    double gamma_coin_per_usd;
    double price_coin_min; /* No-arbitrage bounds. */
    double price_coin_max;
    double miss_coin; /* More half-spread, where the surface and the market disagree. */
} hr_engine_value;

/* The parts of the least half-spread that hang on an option's value and not on the moment. */
typedef struct {
    double vol_half; /* Uncertainty of its volatility, before widening. */
    double fee_coin;
    double rounding_coin; /* What rounding outward brings on average, where flow is contested. */
    double sure_coin;     /* Fee and margin less that, and what the market says otherwise. */
    int32_t is_contested;
    int32_t reserved;
} hr_engine_spread;

/* Where inventory, flow and the tape put the quotes of one option. */
typedef struct {
    double index_ratio;    /* Reservation shift of the index. */
    double vol_shift;      /* Reservation shift of volatility. */
    double spot_ratio;     /* Index uncertainty, one side. */
    double vol_widening;   /* Factor on volatility uncertainty. */
    double collar_coin;    /* The gate's, which no wish may leave. */
    double usage[2];       /* Of the limits, what a side would add to: 0 none, 1 all. */
    double rival_coin[2];  /* Model value to somebody else's best price; HUGE_VAL: none known. */
    double rival_age_s[2]; /* Since it was seen. */
} hr_engine_stance;

/* What we would like to show; 0 lots: that side not. */
typedef struct {
    double reservation_coin;
    double half_spread_coin[2];
    int64_t ticks[2];
    int64_t lots[2];
} hr_engine_target;

/* Best prices of one instrument, our own included; 0 lots where a side is empty. */
typedef struct {
    int64_t slot;
    int64_t bid_ticks;
    int64_t bid_lots;
    int64_t ask_ticks;
    int64_t ask_lots;
} hr_engine_book;

typedef struct {
    int64_t slot;
    int64_t amount_lots;
    int64_t price_ticks;
    int32_t is_buy;
    int32_t is_replayed; /* 1: old news, or no quote of ours; the position only. */
} hr_engine_fill;

/* A quote that should move. A side with `is_moved` 0 stays as it rests. */
typedef struct {
    int64_t slot;
    int64_t ticks[2];
    int64_t lots[2];     /* 0: cancel that side. */
    int32_t is_moved[2]; /* 2: it moves, and what rests there trades at a loss now. */
    int32_t reasons[2];  /* HR_GATE_ reason where a side was refused. */
    double theo_coin;
    double score; /* Edge at risk, coin. */
} hr_engine_decision;

/* What one pass did, and where the book of quotes stands after it. */
typedef struct {
    int64_t decision_count;
    int64_t candidate_count; /* Would have moved, had budget and capacity allowed. */
    int64_t quotable_count;  /* Instruments in the quoted range. */
    int64_t two_sided_count; /* Of these, both sides live. */
    int64_t one_sided_count;
    int64_t refused_count;  /* Sides refused by the gate in this pass. */
    int64_t exposed_count;  /* Quotes that would trade at a loss and stay: no budget. */
    int64_t revalued_count; /* Instruments that were valued anew, not stepped. */
    int32_t blocked_reason; /* HR_GATE_ reason why nothing may be quoted. */
    int32_t reserved;
} hr_engine_pass;

/* Greeks of the book, options and hedge together. */
typedef struct {
    double delta_coin;
    double option_delta_coin;
    double vega_usd;
    double gamma_coin_per_usd;
    double realised_vol; /* Annual, of the index over the last moments. */
    double flow_delta_coin;
    double flow_vega_usd;
    int64_t fill_count;
    int64_t freeze_count;
    int64_t frozen_until_ns;
} hr_engine_risk;

typedef struct hr_engine hr_engine;

/* Returns the bytes an engine of so many slots needs; 0 if there are none or too many. */
int64_t hr_engine_size(int64_t slot_count);

/* Makes an engine in memory, 64-byte aligned; it quotes nothing before it has every block. */
hr_status hr_engine_init(void *memory, int64_t bytes, int64_t slot_count, hr_engine **engine_out);

/* Control plane: whole blocks. A policy or surface with a number that cannot be is refused whole,
 * and the one before it stays. */
hr_status hr_engine_set_instrument(hr_engine *engine, int64_t slot,
                                   const hr_engine_instrument *instrument);
hr_status hr_engine_set_surface(hr_engine *engine, const hr_engine_surface *surface);
hr_status hr_engine_set_policy(hr_engine *engine, const hr_engine_policy *policy);
hr_status hr_engine_set_limits(hr_engine *engine, const hr_gate_limits *limits);
hr_status hr_engine_set_lease(hr_engine *engine, int32_t state, int64_t expires_ns);
hr_status hr_engine_set_halted(hr_engine *engine, int32_t is_halted);
hr_status hr_engine_set_hedge(hr_engine *engine, double hedge_usd); /* Signed inverse futures. */
/* A person's word: opens the latches of repeated execution and of execution beyond what was sent.
 */
hr_status hr_engine_rearm(hr_engine *engine);
/* The latch of one side of a slot, or with slot HR_LATCH_SLOT_ALL that of execution beyond what was
 * sent: closes it; returns whether it is closed. An engine knows of none that closed before it was
 * made: who makes it says so. */
#define HR_LATCH_SLOT_ALL -1
hr_status hr_engine_latch(hr_engine *engine, int64_t slot, int32_t side);
int32_t hr_engine_is_latched(const hr_engine *engine, int64_t slot, int32_t side);

/* What rests at the venue is not what was sent: a side was refused, filled up or cancelled. It is
 * not quoted again before `hold_until_ns`. */
hr_status hr_engine_set_live(hr_engine *engine, int64_t slot, int32_t side, int64_t ticks,
                             int64_t lots, int64_t hold_until_ns);
/* Nothing of ours rests at the venue any more. */
hr_status hr_engine_clear_live(hr_engine *engine);

/* Data plane. */
hr_status hr_engine_on_index(hr_engine *engine, double index_usd, int64_t tick_ns);
hr_status hr_engine_on_books(hr_engine *engine, const hr_engine_book *books, int64_t book_count);
hr_status hr_engine_on_fill(hr_engine *engine, const hr_engine_fill *fill, int64_t now_ns);

/* Returns why nothing may be quoted at `now_ns`, or HR_GATE_OK; HR_GATE_NO_LIMITS on bad memory. */
int32_t hr_engine_blocked(const hr_engine *engine, int64_t now_ns);

/* Re-decides every instrument; the `capacity` (at most) that matter most are written and count as
 * sent. */
hr_status hr_engine_decide(hr_engine *engine, int64_t now_ns, int64_t capacity,
                           hr_engine_decision *decisions_out, hr_engine_pass *pass_out);
/* Re-decides one instrument, after a tick of its own book. Without budget nothing goes out, the
 * slot is marked and counts as a candidate. `pass_out` counts this slot alone. */
hr_status hr_engine_decide_slot(hr_engine *engine, int64_t slot, int64_t now_ns,
                                hr_engine_decision *decision_out, hr_engine_pass *pass_out);
/* Re-decides what an index tick, or anything since the last pass, can have moved; cheap where
 * nothing did. What it leaves alone hr_engine_decide would leave alone too. The `capacity` that
 * matter most go out; the rest stays marked. */
hr_status hr_engine_decide_index(hr_engine *engine, int64_t now_ns, int64_t capacity,
                                 hr_engine_decision *decisions_out, hr_engine_pass *pass_out);
/* Values anew in their turn what passes step from, as many as are due at `now_ns`; returns how
 * many. For the time between ticks: a pass does what nobody has. 0 on bad memory. */
int64_t hr_engine_refresh(hr_engine *engine, int64_t now_ns);
/* Bars an option from being quoted, or allows it again: its book is stale, or the venue does not
 * trade it. What is held of it counts all the same. */
hr_status hr_engine_set_barred(hr_engine *engine, int64_t slot, int32_t is_barred);
/* Has the next pass decide a slot whatever its numbers: its decision did not go out. */
hr_status hr_engine_mark(hr_engine *engine, int64_t slot);
/* Returns how many slots are marked: a pass is owed. */
int64_t hr_engine_marked_count(const hr_engine *engine);

/* The venue's protection has tripped: HR_GATE_TRIPPED until it is reset. */
hr_status hr_engine_on_trip(hr_engine *engine, int64_t now_ns);
/* The venue's protection has been reset; HR_ERR_STALE while it is too early. */
hr_status hr_engine_reset_trip(hr_engine *engine, int64_t now_ns);

hr_status hr_engine_read_risk(const hr_engine *engine, hr_engine_risk *risk_out);
hr_status hr_engine_read_quote(const hr_engine *engine, int64_t slot, hr_engine_book *live_out,
                               hr_engine_value *value_out, int64_t *position_lots_out);

/* Pure parts, each of primitives and structs; the engine calls them, tests call them alone. */
int64_t hr_bid_floor_ticks(double price_coin, double tick_coin, int64_t step_above_ticks,
                           int64_t step_ticks);
int64_t hr_ask_ceil_ticks(double price_coin, double tick_coin, int64_t step_above_ticks,
                          int64_t step_ticks);
hr_status hr_engine_revalue(const hr_engine_instrument *instrument, const hr_engine_slice *slice,
                            double index_usd, int64_t now_ns, hr_engine_value *value_out);
hr_engine_spread hr_engine_spread_of(const hr_engine_policy *policy,
                                     const hr_engine_instrument *instrument,
                                     const hr_engine_value *value);
/* Fills the `sides` of a target (HR_SIDES_BOTH, or one of its bits), of a stance on those sides;
 * `spread` is that of the value. */
hr_status hr_engine_aim(const hr_engine_policy *policy, const hr_engine_instrument *instrument,
                        const hr_engine_value *value, const hr_engine_spread *spread,
                        const hr_engine_stance *stance, int32_t sides,
                        hr_engine_target *target_out);
/* cdef: end */

_Static_assert(sizeof(hr_engine_instrument) == 56, "hr_engine_instrument crosses: no padding");
_Static_assert(sizeof(hr_engine_slice) == 64, "hr_engine_slice crosses: no padding");
_Static_assert(sizeof(hr_engine_policy) == 408, "hr_engine_policy crosses: no padding");
_Static_assert(sizeof(hr_engine_book) == 40, "hr_engine_book crosses: no padding");
_Static_assert(sizeof(hr_engine_fill) == 32, "hr_engine_fill crosses: no padding");
_Static_assert(sizeof(hr_engine_decision) == 72, "hr_engine_decision crosses: no padding");
_Static_assert(sizeof(hr_engine_pass) == 72, "hr_engine_pass crosses: no padding");

#endif
