/* Goal: what is encoded is what the venue wants, byte for byte, in the room that was asked for. */
#undef NDEBUG
#define _GNU_SOURCE
#include "fix_fixture.h"

static uint8_t out[HR_FIX_OUT_BYTES_MAX];
static int64_t count;

static hr_fix_instrument instrument_of(const char *name, int32_t entry_id) {
    hr_fix_instrument instrument;
    assert(hr_fix_instrument_init(&instrument, bytes_of(name), (int64_t)strlen(name), entry_id, 1,
                                  -4, 1, -1) == HR_OK);
    return instrument;
}

static hr_fix_quote_form form_of(int32_t execution) {
    hr_fix_quote_form form;
    assert(hr_fix_quote_form_init(&form, bytes_of("desk"), 4, bytes_of("btc"), 3, execution) ==
           HR_OK);
    return form;
}

static hr_fix_text text_of(const char *text) {
    const hr_fix_text found = {bytes_of(text), (int64_t)strlen(text)};
    return found;
}

/* What was encoded is a message for our own parser too, in sequence. */
static hr_fix_message parsed(hr_fix_stream *stream) {
    static wire in;
    memcpy(in.bytes, out, (size_t)count);
    in.count = count;
    return message_of(&in, stream);
}

static void test_mass_quotes_say_each_side(void) {
    hr_fix_lane lane = desk_lane();
    const hr_fix_instrument call = instrument_of("BTC-25DEC26-100000-C", 17);
    const hr_fix_quote_form form = form_of(HR_FIX_POST_OR_FAIL);
    hr_fix_quote quote = {&call, {505, 10520}, {30, 5}};
    assert(hr_fix_encode_mass_quote(&lane, &form, 42, &quote, 1, NOW_NS, out, sizeof out, &count) ==
           HR_OK);
    assert(is_framed(out, count,
                     "35=i|49=DESK|56=DERIBITSERVER|34=1|52=20261122-10:46:32.306|"
                     "117=42|9019=desk|296=1|302=btc|304=1|295=1|299=17|55=BTC-25DEC26-100000-C|"
                     "132=0.0505|133=1.0520|134=3.0|135=0.5|18=6A|"));
    const hr_fix_quote_form plain = form_of(HR_FIX_MAY_TAKE);
    quote.lots[HR_FIX_BID] = 0;
    assert(hr_fix_encode_mass_quote(&lane, &plain, 43, &quote, 1, NOW_NS, out, sizeof out,
                                    &count) == HR_OK);
    assert(is_framed(out, count,
                     "35=i|49=DESK|56=DERIBITSERVER|34=2|52=20261122-10:46:32.306|"
                     "117=43|9019=desk|296=1|302=btc|304=1|295=1|299=17|55=BTC-25DEC26-100000-C|"
                     "133=1.0520|134=0.0|135=0.5|"));
    quote.lots[HR_FIX_ASK] = -1;
    assert(hr_fix_encode_mass_quote(&lane, &plain, 44, &quote, 1, NOW_NS, out, sizeof out,
                                    &count) == HR_OK);
    assert(lane.next_out == 4);
    hr_fix_stream stream;
    const hr_fix_message message = parsed(&stream);
    assert(message.type == HR_FIX_MASS_QUOTE && message.sequence == 3);
    assert(memmem(message.body, (size_t)message.body_count, "135=", 4) == NULL);
    free(stream.memory);
}

/* The longest quotes there are; the least room that is accepted is enough. */
static void test_any_number_of_quotes_fits_where_it_is_accepted(void) {
    static const int64_t numbers[] = {1, 2, 9, 10, 99, 100};
    hr_fix_instrument instruments[HR_FIX_QUOTES_MAX];
    hr_fix_quote quotes[HR_FIX_QUOTES_MAX];
    uint8_t name[HR_FIX_NAME_BYTES_MAX];
    memset(name, 'N', sizeof name);
    for (int k = 0; k < HR_FIX_QUOTES_MAX; k++) {
        assert(hr_fix_instrument_init(&instruments[k], name, sizeof name, INT32_MAX - k,
                                      HR_FIX_MANTISSA_MAX, -12, HR_FIX_MANTISSA_MAX, -12) == HR_OK);
        quotes[k] = (hr_fix_quote){&instruments[k],
                                   {HR_FIX_COUNT_MAX, HR_FIX_COUNT_MAX},
                                   {HR_FIX_COUNT_MAX, HR_FIX_COUNT_MAX}};
    }
    hr_fix_quote_form form;
    assert(hr_fix_quote_form_init(&form, name, sizeof name, name, sizeof name,
                                  HR_FIX_POST_OR_FAIL) == HR_OK);
    for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++) {
        hr_fix_lane lane = desk_lane();
        hr_fix_stream stream;
        hr_status status = HR_ERR_FULL;
        for (int64_t room = 0; status == HR_ERR_FULL && room <= HR_FIX_OUT_BYTES_MAX; room++) {
            uint8_t *memory = malloc(room > 0 ? (size_t)room : 1);
            lane.next_out = 999999999999999;
            status = hr_fix_encode_mass_quote(&lane, &form, INT64_MAX, quotes, numbers[k], NOW_NS,
                                              memory, room, &count);
            if (status == HR_OK) {
                memcpy(out, memory, (size_t)count);
            }
            free(memory);
        }
        assert(status == HR_OK && parsed(&stream).sequence == 999999999999999);
        free(stream.memory);
    }
}

static void test_mass_quotes_that_cannot_be_are_refused(void) {
    hr_fix_lane lane = desk_lane();
    const hr_fix_instrument call = instrument_of("C", 0);
    const hr_fix_quote_form form = form_of(HR_FIX_POST_ONLY);
    const hr_fix_quote good = {&call, {1, 2}, {1, 1}};
    static const struct {
        int64_t ticks[2];
        int64_t lots[2];
        hr_status status;
    } cases[] = {
        {{0, 2}, {1, 1}, HR_ERR_DOMAIN},
        {{0, 2}, {0, 1}, HR_OK},
        {{1, -2}, {1, 1}, HR_ERR_DOMAIN},
        {{1, -2}, {1, -1}, HR_OK},
        {{1, HR_FIX_COUNT_MAX + 1}, {1, 1}, HR_ERR_DOMAIN},
        {{1, HR_FIX_COUNT_MAX}, {1, 1}, HR_OK},
        {{1, 2}, {HR_FIX_COUNT_MAX + 1, 1}, HR_ERR_DOMAIN},
        {{1, 2}, {-2, 1}, HR_ERR_DOMAIN},
        {{1, 2}, {-1, -1}, HR_ERR_ARGUMENT},
        {{1, 2}, {0, 0}, HR_OK},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        const int64_t before = lane.next_out;
        hr_fix_quote quotes[2] = {good, good};
        memcpy(quotes[1].ticks, cases[k].ticks, sizeof quotes[1].ticks);
        memcpy(quotes[1].lots, cases[k].lots, sizeof quotes[1].lots);
        assert(hr_fix_encode_mass_quote(&lane, &form, 1, quotes, 2, NOW_NS, out, sizeof out,
                                        &count) == cases[k].status);
        assert(lane.next_out == before + (cases[k].status == HR_OK));
    }
    const hr_fix_quote nobody = {NULL, {1, 2}, {1, 1}};
#define REFUSED(LANE, FORM, ID, QUOTES, COUNT, NOW)                                                \
    assert(hr_fix_encode_mass_quote(LANE, FORM, ID, QUOTES, COUNT, NOW, out, sizeof out,           \
                                    &count) == HR_ERR_ARGUMENT)
    REFUSED(&lane, &form, 1, &nobody, 1, NOW_NS);
    REFUSED(&lane, &form, 1, &good, 0, NOW_NS);
    REFUSED(&lane, &form, 1, &good, 101, NOW_NS);
    REFUSED(&lane, &form, -1, &good, 1, NOW_NS);
    REFUSED(&lane, &form, 1, NULL, 1, NOW_NS);
    REFUSED(&lane, &form, 1, &good, 1, -1);
    REFUSED(&lane, &form, 1, &good, 1, INT64_MAX);
    REFUSED(&lane, NULL, 1, &good, 1, NOW_NS);
    REFUSED(NULL, &form, 1, &good, 1, NOW_NS);
    lane.next_out = 0;
    REFUSED(&lane, &form, 1, &good, 1, NOW_NS);
    hr_fix_instrument bad;
    hr_fix_quote_form bad_form;
#define BAD(NAME, ID, TICK, TICK_EXPONENT, LOT, LOT_EXPONENT)                                      \
    assert(hr_fix_instrument_init(&bad, bytes_of(NAME), (int64_t)strlen(NAME), ID, TICK,           \
                                  TICK_EXPONENT, LOT, LOT_EXPONENT) == HR_ERR_ARGUMENT)
    BAD("", 1, 1, -4, 1, -1);
    BAD("A|\001", 1, 1, -4, 1, -1);
    BAD("A", -1, 1, -4, 1, -1);
    BAD("A", 1, 0, -4, 1, -1);
    BAD("A", 1, 1000001, -4, 1, -1);
    BAD("A", 1, 1, -13, 1, -1);
    BAD("A", 1, 1, 1, 1, -1);
    BAD("A", 1, 1, -4, 0, -1);
    BAD("A", 1, 1, -4, 1, 1);
    assert(hr_fix_quote_form_init(&bad_form, bytes_of("a"), 1, bytes_of(""), 0, 0) ==
           HR_ERR_ARGUMENT);
    assert(hr_fix_quote_form_init(&bad_form, bytes_of("a"), 1, bytes_of("b"), 1, 3) ==
           HR_ERR_ARGUMENT);
}

static void test_stamps_follow_the_clock(void) {
    hr_fix_lane lane = desk_lane();
    static const struct {
        int64_t now_ns;
        const char *stamp;
    } cases[] = {
        {0, "19700101-00:00:00.000"},
        {999999999, "19700101-00:00:00.999"},
        {1000000000, "19700101-00:00:01.000"},
        {951868799999999999, "20000229-23:59:59.999"},
        {951868800000000000, "20000301-00:00:00.000"},
        {4107542399000000000, "21000228-23:59:59.000"},
        {4107542400000000000, "21000301-00:00:00.000"},
        {7258118399999000000, "21991231-23:59:59.999"},
        {951782400000000000, "20000229-00:00:00.000"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        hr_fix_stream stream;
        assert(hr_fix_encode_body(&lane, HR_FIX_HEARTBEAT, NULL, 0, 0, cases[k].now_ns, out,
                                  sizeof out, &count) == HR_OK);
        const hr_fix_message message = parsed(&stream);
        assert(text_is(message.sending_time, cases[k].stamp) && message.body_count == 0);
        int64_t read_ns = 0;
        assert(hr_fix_to_time(&message.sending_time, &read_ns) == HR_OK);
        assert(read_ns == cases[k].now_ns / 1000000 * 1000000);
        free(stream.memory);
    }
}

static void test_quote_cancels_have_their_scope(void) {
    static const struct {
        int32_t type;
        const char *scope;
        const char *field;
    } cases[] = {
        {HR_FIX_CANCEL_SYMBOL, "BTC-25DEC26-100000-C", "|298=1|55=BTC-25DEC26-100000-C|10="},
        {HR_FIX_CANCEL_KIND, "option", "|298=2|167=option|10="},
        {HR_FIX_CANCEL_ALL, NULL, "|298=4|10="},
        {HR_FIX_CANCEL_CURRENCY, "BTC", "|298=5|15=BTC|10="},
        {HR_FIX_CANCEL_SET, "btc", "|298=6|302=btc|10="},
    };
    hr_fix_lane lane = desk_lane();
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        hr_fix_quote_cancel cancel = {{NULL, 0}, 7, cases[k].type, 0};
        if (cases[k].scope != NULL) {
            assert(hr_fix_encode_quote_cancel(&lane, &cancel, NOW_NS, out, sizeof out, &count) ==
                   HR_ERR_ARGUMENT);
            cancel.scope = text_of(cases[k].scope);
        }
        assert(hr_fix_encode_quote_cancel(&lane, &cancel, NOW_NS, out, sizeof out, &count) ==
               HR_OK);
        wire field;
        wire_raw(&field, cases[k].field);
        assert(memmem(out, (size_t)count, field.bytes, (size_t)field.count) != NULL);
        assert(memmem(out, (size_t)count, "1166=7\001", 7) != NULL);
        cancel.is_freezing = 1;
        assert(hr_fix_encode_quote_cancel(&lane, &cancel, NOW_NS, out, sizeof out, &count) ==
               HR_OK);
        assert(memmem(out, (size_t)count, "\0019031=Y\001", 8) != NULL);
        assert(hr_fix_encode_quote_cancel(&lane, &cancel, NOW_NS, out, 400, &count) == HR_ERR_FULL);
        cancel.type = 7;
        assert(hr_fix_encode_quote_cancel(&lane, &cancel, NOW_NS, out, sizeof out, &count) ==
               HR_ERR_ARGUMENT);
    }
    assert(lane.next_out == 11);
}

static void test_orders_are_placed_replaced_and_cancelled(void) {
    hr_fix_lane lane = desk_lane();
    hr_fix_instrument perpetual;
    assert(hr_fix_instrument_init(&perpetual, bytes_of("BTC-PERPETUAL"), 13, 1, 5, -1, 1, 0) ==
           HR_OK);
    hr_fix_order order = {&perpetual, text_of("h-1"), {NULL, 0},  text_of("hedge"), 172001,
                          25,         HR_FIX_ASK,     HR_FIX_GTC, HR_FIX_POST_ONLY, 0};
    assert(hr_fix_encode_order(&lane, &order, NOW_NS, out, sizeof out, &count) == HR_OK);
    assert(is_framed(out, count,
                     "35=D|49=DESK|56=DERIBITSERVER|34=1|52=20261122-10:46:32.306|"
                     "11=h-1|55=BTC-PERPETUAL|54=2|38=25|40=2|44=86000.5|59=1|18=6|100010=hedge|"));
    order.order_id = text_of("BTC-77");
    order.execution = HR_FIX_POST_OR_FAIL | HR_FIX_REDUCE_ONLY;
    order.side = HR_FIX_BID;
    assert(hr_fix_encode_replace(&lane, &order, NOW_NS, out, sizeof out, &count) == HR_OK);
    assert(is_framed(out, count,
                     "35=G|49=DESK|56=DERIBITSERVER|34=2|52=20261122-10:46:32.306|"
                     "11=h-1|41=BTC-77|55=BTC-PERPETUAL|54=1|38=25|40=2|44=86000.5|59=1|18=6AE|"));
    order.client_id = (hr_fix_text){NULL, 0};
    assert(hr_fix_encode_cancel(&lane, &order, NOW_NS, out, sizeof out, &count) == HR_OK);
    assert(is_framed(out, count,
                     "35=F|49=DESK|56=DERIBITSERVER|34=3|52=20261122-10:46:32.306|"
                     "41=BTC-77|55=BTC-PERPETUAL|"));
    assert(hr_fix_encode_order(&lane, &order, NOW_NS, out, sizeof out, &count) == HR_ERR_ARGUMENT);
    order.order_id = (hr_fix_text){NULL, 0};
    assert(hr_fix_encode_cancel(&lane, &order, NOW_NS, out, sizeof out, &count) == HR_ERR_ARGUMENT);
    assert(hr_fix_encode_replace(&lane, &order, NOW_NS, out, sizeof out, &count) ==
           HR_ERR_ARGUMENT);
    order.client_id = text_of("h-2");
    assert(hr_fix_encode_order(&lane, &order, NOW_NS, out, 800, &count) == HR_ERR_FULL);
    const hr_fix_order good = order;
#define ORDER_REFUSED(FIELD, VALUE, STATUS)                                                        \
    order = good;                                                                                  \
    order.FIELD = VALUE;                                                                           \
    assert(hr_fix_encode_order(&lane, &order, NOW_NS, out, sizeof out, &count) == STATUS)
    ORDER_REFUSED(price_ticks, 0, HR_ERR_DOMAIN);
    ORDER_REFUSED(price_ticks, HR_FIX_COUNT_MAX + 1, HR_ERR_DOMAIN);
    ORDER_REFUSED(lots, 0, HR_ERR_DOMAIN);
    ORDER_REFUSED(lots, HR_FIX_COUNT_MAX + 1, HR_ERR_DOMAIN);
    ORDER_REFUSED(side, 2, HR_ERR_ARGUMENT);
    ORDER_REFUSED(side, -1, HR_ERR_ARGUMENT);
    ORDER_REFUSED(time_in_force, 2, HR_ERR_ARGUMENT);
    ORDER_REFUSED(execution, 3, HR_ERR_ARGUMENT);
    ORDER_REFUSED(execution, 8, HR_ERR_ARGUMENT);
    ORDER_REFUSED(instrument, NULL, HR_ERR_ARGUMENT);
    ORDER_REFUSED(label.count, 65, HR_ERR_ARGUMENT);
    ORDER_REFUSED(client_id.count, 0, HR_ERR_ARGUMENT);
    assert(lane.next_out == 4);
}

static void test_bodies_are_carried_and_answers_to_resends_keep_the_lane(void) {
    hr_fix_lane lane = desk_lane();
    wire body;
    wire_raw(&body, "123=Y|36=9|");
    lane.next_out = 9;
    assert(hr_fix_encode_body(&lane, HR_FIX_SEQUENCE_RESET, body.bytes, body.count, 3, NOW_NS, out,
                              sizeof out, &count) == HR_OK);
    assert(lane.next_out == 9);
    hr_fix_stream stream;
    const hr_fix_message message = parsed(&stream);
    assert(message.sequence == 3 && message.is_duplicate && message.is_gap_fill);
    assert(message.new_sequence == 9 && message.type == HR_FIX_SEQUENCE_RESET);
    free(stream.memory);
    static const char *const bad[] = {"112=x", "112=|",   "|",       "=x|",
                                      "34=1|", "112=x||", "10=000|", "112=x|8=FIX|",
                                      "a=1|",  "052=1|"};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        wire_raw(&body, bad[k]);
        assert(hr_fix_encode_body(&lane, HR_FIX_HEARTBEAT, body.bytes, body.count, 0, NOW_NS, out,
                                  sizeof out, &count) == HR_ERR_ARGUMENT);
    }
    wire_raw(&body, "112=x|");
    assert(hr_fix_encode_body(&lane, 0, body.bytes, body.count, 0, NOW_NS, out, sizeof out,
                              &count) == HR_ERR_ARGUMENT);
    assert(hr_fix_encode_body(&lane, HR_FIX_HEARTBEAT, body.bytes, body.count, -1, NOW_NS, out,
                              sizeof out, &count) == HR_ERR_ARGUMENT);
    assert(hr_fix_encode_body(&lane, HR_FIX_HEARTBEAT, body.bytes, body.count, 0, NOW_NS, out, 300,
                              &count) == HR_ERR_FULL);
    assert(hr_fix_encode_body(&lane, HR_FIX_HEARTBEAT, body.bytes, HR_FIX_BODY_BYTES_MAX + 1, 0,
                              NOW_NS, out, sizeof out, &count) == HR_ERR_ARGUMENT);
    assert(hr_fix_encode_body(&lane, 'A' | 'E' << 8, body.bytes, body.count, 0, NOW_NS, out,
                              sizeof out, &count) == HR_OK);
    assert(lane.next_out == 10 && memcmp(out + 15, "35=AE\001", 6) == 0);
}

/* Found by fuzzing: a number beyond all that can be read back. */
static void test_only_a_number_that_was_used_is_answered_again(void) {
    static const int64_t bad[] = {9, 10, INT64_MAX, INT64_MAX - 1};
    hr_fix_lane lane = desk_lane();
    wire body;
    wire_raw(&body, "123=Y|36=9|");
    lane.next_out = 9;
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        assert(hr_fix_encode_body(&lane, HR_FIX_SEQUENCE_RESET, body.bytes, body.count, bad[k],
                                  NOW_NS, out, sizeof out, &count) == HR_ERR_ARGUMENT);
    }
    assert(hr_fix_encode_body(&lane, HR_FIX_SEQUENCE_RESET, body.bytes, body.count, 8, NOW_NS, out,
                              sizeof out, &count) == HR_OK);
}

int main(void) {
    test_mass_quotes_say_each_side();
    test_any_number_of_quotes_fits_where_it_is_accepted();
    test_mass_quotes_that_cannot_be_are_refused();
    test_stamps_follow_the_clock();
    test_quote_cancels_have_their_scope();
    test_orders_are_placed_replaced_and_cancelled();
    test_bodies_are_carried_and_answers_to_resends_keep_the_lane();
    test_only_a_number_that_was_used_is_answered_again();
    return 0;
}
