/* Goal: answers, fills and refusals are read whole and exactly, or refused. */
#undef NDEBUG
#include "fix_fixture.h"

#include <stddef.h>

static hr_fix_stream stream;

static hr_fix_message message_in(const char *type, const char *body) {
    static wire in;
    free(stream.memory);
    wire_in(&in, type, 2, body);
    return message_of(&in, &stream);
}

static hr_fix_instrument option_of(void) {
    hr_fix_instrument instrument;
    assert(hr_fix_instrument_init(&instrument, bytes_of("C"), 1, 3, 1, -4, 1, -1) == HR_OK);
    return instrument;
}

static void test_an_answer_to_a_mass_quote_is_read_entry_by_entry(void) {
    const hr_fix_message message = message_in(
        "b", "117=42|297=0|295=4|"
             "299=17|9020=0|302=btc|1167=21|55=BTC-1|54=1|37=9001|60=20261122-10:46:32.306|"
             "132=0.0505|134=3.0|"
             "299=17|9020=0|302=btc|1167=21|55=BTC-1|54=2|37=9002|133=0.052|135=3|"
             "299=BTC-555|9020=1|55=BTC-1|54=1|37=9001|132=0.0505|134=0.1|77777=new|"
             "299=18|9020=2|1167=5|55=BTC-2|54=2|368=10043|58=price_wrong_tick|");
    hr_fix_quote_ack ack;
    hr_fix_quote_entry entry;
    assert(hr_fix_decode_quote_ack(&message, &ack) == HR_OK);
    assert(text_is(ack.quote_id, "42") && ack.status == 0 && ack.entry_count == 4);
    assert(ack.reject_reason == 0 && ack.text.bytes == NULL);
    const hr_fix_instrument option = option_of();
    int64_t units = 0;
    int64_t time_ns = 0;
    assert(hr_fix_next_entry(&ack, &entry) == HR_OK);
    assert(entry.type == HR_FIX_ENTRY_ORDER && entry.status == 21 && entry.side == HR_FIX_BID);
    assert(text_is(entry.id, "17") && text_is(entry.set, "btc") && text_is(entry.symbol, "BTC-1"));
    assert(text_is(entry.order_id, "9001") && entry.error_code == 0);
    assert(hr_fix_to_ticks(&option, &entry.price[HR_FIX_BID], &units) == HR_OK && units == 505);
    assert(hr_fix_to_lots(&option, &entry.size[HR_FIX_BID], &units) == HR_OK && units == 30);
    assert(hr_fix_to_ticks(&option, &entry.price[HR_FIX_ASK], &units) == HR_ERR_NOT_FOUND);
    assert(hr_fix_to_time(&entry.transact_time, &time_ns) == HR_OK);
    assert(time_ns == NOW_NS / 1000000 * 1000000);
    assert(hr_fix_next_entry(&ack, &entry) == HR_OK && entry.side == HR_FIX_ASK);
    assert(hr_fix_to_ticks(&option, &entry.price[HR_FIX_ASK], &units) == HR_OK && units == 520);
    assert(hr_fix_to_lots(&option, &entry.size[HR_FIX_ASK], &units) == HR_OK && units == 30);
    assert(hr_fix_to_time(&entry.transact_time, &time_ns) == HR_ERR_MALFORMED);
    assert(hr_fix_next_entry(&ack, &entry) == HR_OK && entry.type == HR_FIX_ENTRY_TRADE);
    assert(text_is(entry.id, "BTC-555") && entry.status == -1);
    assert(hr_fix_next_entry(&ack, &entry) == HR_OK && entry.type == HR_FIX_ENTRY_ERROR);
    assert(entry.error_code == 10043 && text_is(entry.text, "price_wrong_tick"));
    assert(hr_fix_next_entry(&ack, &entry) == HR_ERR_NOT_FOUND);
}

static void test_entries_without_an_id_begin_where_a_field_comes_again(void) {
    const hr_fix_message message =
        message_in("b", "297=0|295=3|9020=2|368=1|9020=2|368=2|299=7|9020=0|368=3|");
    hr_fix_quote_ack ack;
    hr_fix_quote_entry entry;
    assert(hr_fix_decode_quote_ack(&message, &ack) == HR_OK);
    for (int32_t k = 1; k <= 3; k++) {
        assert(hr_fix_next_entry(&ack, &entry) == HR_OK && entry.error_code == k);
        assert((entry.id.bytes != NULL) == (k == 3));
    }
    assert(hr_fix_next_entry(&ack, &entry) == HR_ERR_NOT_FOUND);
}

static void test_a_refused_mass_quote_has_no_entries(void) {
    const hr_fix_message message = message_in("b", "117=9|297=5|300=99|368=13030|58=mmp_trigger|");
    hr_fix_quote_ack ack;
    hr_fix_quote_entry entry;
    assert(hr_fix_decode_quote_ack(&message, &ack) == HR_OK);
    assert(ack.status == 5 && ack.reject_reason == 99 && ack.error_code == 13030);
    assert(text_is(ack.text, "mmp_trigger"));
    assert(hr_fix_next_entry(&ack, &entry) == HR_ERR_NOT_FOUND);
}

static void test_the_status_may_stand_behind_the_entries(void) {
    const hr_fix_message message =
        message_in("b", "117=9|295=2|299=1|9020=0|299=2|9020=2|368=1|297=5|300=7|368=13030|");
    hr_fix_quote_ack ack;
    hr_fix_quote_entry entry;
    assert(hr_fix_decode_quote_ack(&message, &ack) == HR_OK);
    assert(ack.status == 5 && ack.reject_reason == 7 && ack.entry_count == 2);
    assert(ack.error_code == 13030);
    assert(hr_fix_next_entry(&ack, &entry) == HR_OK);
    assert(hr_fix_next_entry(&ack, &entry) == HR_OK && entry.error_code == 1);
    assert(hr_fix_next_entry(&ack, &entry) == HR_ERR_NOT_FOUND);
}

static void test_answers_that_break_their_form_are_refused(void) {
    static const struct {
        const char *body;
        int entries; /* Read before it is noticed; -1: at once. */
    } cases[] = {
        {"117=9|", -1},
        {"295=1|299=1|", -1},
        {"295=1|299=1|297=x|", -1},
        {"295=1|299=1|x|", -1},
        {"297=x|", -1},
        {"297=0|295=-1|", -1},
        {"297=0|295=9999999999|", -1},
        {"297=0|300=a|", -1},
        {"297=5|368=a|", -1},
        {"297=0|x|", -1},
        {"297=0|295=2|299=1|9020=0|", 1},
        {"297=0|295=1|299=1|9020=0|299=2|9020=0|", 1},
        {"297=0|295=1|", 0},
        {"297=0|295=1|88888=1|", 0},
        {"297=0|295=1|299=1|54=3|", 0},
        {"297=0|295=1|299=1|54=11|", 0},
        {"297=0|295=1|299=1|132=1e3|", 0},
        {"297=0|295=1|299=1|134=|", 0},
        {"297=0|295=1|299=1|9020=x|", 0},
        {"297=0|295=1|299=1|368=x|", 0},
        {"297=0|295=1|299=1|1167=-|", 0},
        {"297=0|295=1|299=1|=x|", 0},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        const hr_fix_message message = message_in("b", cases[k].body);
        hr_fix_quote_ack ack;
        hr_fix_quote_entry entry;
        const hr_status status = hr_fix_decode_quote_ack(&message, &ack);
        assert(status == (cases[k].entries < 0 ? HR_ERR_MALFORMED : HR_OK));
        for (int read = 0; read < cases[k].entries; read++) {
            assert(hr_fix_next_entry(&ack, &entry) == HR_OK);
        }
        assert(status != HR_OK || hr_fix_next_entry(&ack, &entry) == HR_ERR_MALFORMED);
    }
    const hr_fix_message other = message_in("8", "39=0|");
    hr_fix_quote_ack ack;
    assert(hr_fix_decode_quote_ack(&other, &ack) == HR_ERR_ARGUMENT);
    assert(hr_fix_decode_quote_ack(NULL, &ack) == HR_ERR_ARGUMENT);
    assert(hr_fix_next_entry(NULL, NULL) == HR_ERR_ARGUMENT);
}

static void test_executions_carry_our_id_and_their_fills(void) {
    const hr_fix_message message = message_in(
        "8", "527=81|37=BTC-9|11=server|41=ours|17=x1|150=F|39=1|54=2|55=BTC-1|40=2|44=0.05|38=3|"
             "151=2.7|14=0.3|6=0.0501|31=0.0502|32=0.2|60=20261122-10:46:32|9008=Y|117=42|299=17|"
             "100010=label|103=0|"
             "1362=2|1363=BTC-1001|1364=0.05|1365=0.1|1443=1|1363=BTC-1002|1364=0.0502|1365=0.2|"
             "1443=2|");
    hr_fix_execution execution;
    hr_fix_fill fill;
    assert(hr_fix_decode_execution(&message, &execution) == HR_OK);
    assert(text_is(execution.order_id, "BTC-9") && text_is(execution.client_id, "ours"));
    assert(text_is(execution.symbol, "BTC-1") && text_is(execution.execution_id, "x1"));
    assert(text_is(execution.quote_id, "42") && text_is(execution.quote_entry_id, "17"));
    assert(text_is(execution.label, "label") && execution.text.bytes == NULL);
    assert(execution.execution_type == 'F' && execution.order_status == '1');
    assert(execution.side == HR_FIX_ASK && execution.order_type == '2' && execution.is_mmp);
    assert(execution.fill_count == 2 && execution.reject_reason == 0);
    const hr_fix_instrument option = option_of();
    static const struct {
        size_t offset;
        int64_t units;
        int is_price;
    } numbers[] = {
        {offsetof(hr_fix_execution, price), 500, 1},
        {offsetof(hr_fix_execution, quantity), 30, 0},
        {offsetof(hr_fix_execution, leaves), 27, 0},
        {offsetof(hr_fix_execution, cumulative), 3, 0},
        {offsetof(hr_fix_execution, average_price), 501, 1},
        {offsetof(hr_fix_execution, last_price), 502, 1},
        {offsetof(hr_fix_execution, last_quantity), 2, 0},
    };
    for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++) {
        hr_fix_decimal decimal;
        int64_t units = 0;
        memcpy(&decimal, (const uint8_t *)&execution + numbers[k].offset, sizeof decimal);
        assert((numbers[k].is_price ? hr_fix_to_ticks(&option, &decimal, &units)
                                    : hr_fix_to_lots(&option, &decimal, &units)) == HR_OK);
        assert(units == numbers[k].units);
    }
    assert(hr_fix_next_fill(&execution, &fill) == HR_OK && fill.liquidity == 1);
    assert(text_is(fill.trade_id, "BTC-1001") && fill.price.mantissa == 5);
    assert(fill.price.exponent == -2 && fill.quantity.mantissa == 1);
    assert(hr_fix_next_fill(&execution, &fill) == HR_OK && text_is(fill.trade_id, "BTC-1002"));
    assert(hr_fix_next_fill(&execution, &fill) == HR_ERR_NOT_FOUND);
}

static void test_executions_that_break_their_form_are_refused(void) {
    static const struct {
        const char *body;
        int fills; /* -1: refused at once. */
    } cases[] = {
        {"37=1|", -1},
        {"39=12|", -1},
        {"39=0|150=|", -1},
        {"39=0|54=0|", -1},
        {"39=0|38=1.2.3|", -1},
        {"39=0|44=a|", -1},
        {"39=0|151=-|", -1},
        {"39=0|14=.|", -1},
        {"39=0|6=1e4|", -1},
        {"39=0|31=x|", -1},
        {"39=0|32=x|", -1},
        {"39=0|103=x|", -1},
        {"39=0|40=22|", -1},
        {"39=8|368=x|", -1},
        {"39=0|1362=x|", -1},
        {"39=0|1362=2|1363=a|1364=1|1365=1|", 1},
        {"39=0|1362=1|1363=a|1364=1|1365=1|1363=b|1364=1|1365=1|", 1},
        {"39=0|1362=1|1364=1|1365=1|", 0},
        {"39=0|1362=1|1363=a|1365=1|", 0},
        {"39=0|1362=1|1363=a|1364=1|", 0},
        {"39=0|1362=1|1363=a|1364=1|1365=x|", 0},
        {"39=0|1362=1|1363=a|1364=x|1365=1|", 0},
        {"39=0|1362=1|1363=a|1364=1|1365=1|1443=x|", 0},
        {"39=0|1362=1|", 0},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        const hr_fix_message message = message_in("8", cases[k].body);
        hr_fix_execution execution;
        hr_fix_fill fill;
        const hr_status status = hr_fix_decode_execution(&message, &execution);
        assert(status == (cases[k].fills < 0 ? HR_ERR_MALFORMED : HR_OK));
        for (int read = 0; read < cases[k].fills; read++) {
            assert(hr_fix_next_fill(&execution, &fill) == HR_OK);
        }
        assert(status != HR_OK || hr_fix_next_fill(&execution, &fill) == HR_ERR_MALFORMED);
    }
    const hr_fix_message without = message_in("8", "39=8|527=81|103=99|368=10009|58=no|");
    hr_fix_execution execution;
    hr_fix_fill fill;
    assert(hr_fix_decode_execution(&without, &execution) == HR_OK && execution.side == -1);
    assert(text_is(execution.execution_id, "81") && execution.reject_reason == 99);
    assert(execution.error_code == 10009);
    assert(hr_fix_next_fill(&execution, &fill) == HR_ERR_NOT_FOUND);
    const hr_fix_message other = message_in("b", "297=0|");
    assert(hr_fix_decode_execution(&other, &execution) == HR_ERR_ARGUMENT);
    assert(hr_fix_next_fill(NULL, &fill) == HR_ERR_ARGUMENT);
}

static void test_answers_to_cancels_are_read(void) {
    hr_fix_cancel_report report;
    const hr_fix_message done =
        message_in("r", "11=7|530=11|531=11|298=5|58=success|533=3|534=3|41=a|41=b|41=c|");
    assert(hr_fix_decode_cancel_report(&done, &report) == HR_OK);
    assert(text_is(report.client_id, "7") && text_is(report.text, "success"));
    assert(report.request_type == 11 && report.response == 11 && report.cancel_type == 5);
    assert(report.affected_count == 3 && report.reject_reason == 0);
    const hr_fix_message counted = message_in("r", "530=11|532=5|534=2|41=a|41=b|");
    assert(hr_fix_decode_cancel_report(&counted, &report) == HR_OK);
    assert(report.affected_count == 2 && report.response == -1 && report.reject_reason == 5);
    static const char *const bad[] = {"531=1|",       "530=x|",       "530=1|531=x|",
                                      "530=1|532=x|", "530=1|533=x|", "530=1|534=x|",
                                      "530=1|298=x|", "530=1|x|"};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        const hr_fix_message message = message_in("r", bad[k]);
        assert(hr_fix_decode_cancel_report(&message, &report) == HR_ERR_MALFORMED);
    }
    const hr_fix_message other = message_in("b", "530=1|");
    assert(hr_fix_decode_cancel_report(&other, &report) == HR_ERR_ARGUMENT);
}

static void test_refusals_say_what_they_refuse(void) {
    hr_fix_refusal refusal;
    const hr_fix_message cancel =
        message_in("9", "11=srv|41=ours|37=9|39=2|434=1|102=0|58=already_filled|");
    assert(hr_fix_decode_refusal(&cancel, &refusal) == HR_OK);
    assert(text_is(refusal.client_id, "ours") && text_is(refusal.order_id, "9"));
    assert(refusal.order_status == '2' && refusal.response_to == '1' && refusal.reason == 0);
    const hr_fix_message late = message_in("9", "41=ours|11=srv|");
    assert(hr_fix_decode_refusal(&late, &refusal) == HR_OK);
    assert(text_is(refusal.client_id, "ours") && refusal.reason == -1);
    const hr_fix_message reject = message_in("3", "45=12|371=132|372=i|373=6|58=format|");
    assert(hr_fix_decode_refusal(&reject, &refusal) == HR_OK);
    assert(refusal.reference_sequence == 12 && refusal.reference_tag == 132);
    assert(refusal.reference_message_type == HR_FIX_MASS_QUOTE && refusal.reason == 6);
    const hr_fix_message business = message_in("j", "45=12|372=MM|380=3|379=7|58=unsupported|");
    assert(hr_fix_decode_refusal(&business, &refusal) == HR_OK && refusal.reason == 3);
    assert(text_is(refusal.reference_id, "7") && text_is(refusal.text, "unsupported"));
    assert(refusal.reference_message_type == ('M' | 'M' << 8));
    static const char *const bad[] = {"45=x|", "371=x|", "373=x|", "434=11|", "39=11|", "102=-1|"};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        const hr_fix_message message = message_in("3", bad[k]);
        assert(hr_fix_decode_refusal(&message, &refusal) == HR_ERR_MALFORMED);
    }
    const hr_fix_message other = message_in("b", "45=1|");
    assert(hr_fix_decode_refusal(&other, &refusal) == HR_ERR_ARGUMENT);
}

/* A decimal as a fill's quantity, in units of mantissa * 10^exponent. */
static hr_status units_of(const char *text, int64_t mantissa, int32_t exponent, int64_t *units) {
    char body[160];
    hr_fix_execution execution;
    hr_fix_instrument instrument;
    snprintf(body, sizeof body, "39=0|38=%s|", text);
    const hr_fix_message message = message_in("8", body);
    assert(hr_fix_instrument_init(&instrument, bytes_of("C"), 1, 3, mantissa, exponent, mantissa,
                                  exponent) == HR_OK);
    const hr_status status = hr_fix_decode_execution(&message, &execution);
    if (status != HR_OK) {
        return status;
    }
    int64_t lots = -1;
    const hr_status price_status = hr_fix_to_ticks(&instrument, &execution.quantity, units);
    assert(hr_fix_to_lots(&instrument, &execution.quantity, &lots) == price_status);
    assert(price_status != HR_OK || lots == *units);
    return price_status;
}

static void test_decimals_become_whole_units_or_nothing(void) {
    static const struct {
        const char *text;
        int64_t mantissa;
        int32_t exponent;
        int64_t units;
        hr_status status;
    } cases[] = {
        {"0.0505", 1, -4, 505, HR_OK},
        {"00.050500000000000000000000", 1, -4, 505, HR_OK},
        {"0.05055", 1, -4, 0, HR_ERR_DOMAIN},
        {".5", 1, -1, 5, HR_OK},
        {"5.", 1, -1, 50, HR_OK},
        {"0", 1, -4, 0, HR_OK},
        {"-0", 1, -4, 0, HR_OK},
        {"-1", 1, -4, 0, HR_ERR_DOMAIN},
        {"86000.5", 5, -1, 172001, HR_OK},
        {"86000.25", 5, -1, 0, HR_ERR_DOMAIN},
        {"86000.1", 5, -1, 0, HR_ERR_DOMAIN},
        {"30", 10, 0, 3, HR_OK},
        {"35", 10, 0, 0, HR_ERR_DOMAIN},
        {"1000000000000", 1, 0, HR_FIX_COUNT_MAX, HR_OK},
        {"1000000000001", 1, 0, 0, HR_ERR_DOMAIN},
        {"999999999999999999", 1000000, 0, 0, HR_ERR_DOMAIN},
        {"999999999999999999", 1, -12, 0, HR_ERR_DOMAIN},
        {"1000000000000000000", 1, 0, 0, HR_ERR_MALFORMED},
        {"0.000000000001", 1, -12, 1, HR_OK},
        {"0.0000000000001", 1, -12, 0, HR_ERR_DOMAIN},
        {"0.0000000000000000001", 1, -12, 0, HR_ERR_MALFORMED},
        {"1.000000000000000001", 1, -12, 0, HR_ERR_MALFORMED},
        {"1..0", 1, 0, 0, HR_ERR_MALFORMED},
        {"1,0", 1, 0, 0, HR_ERR_MALFORMED},
        {"--1", 1, 0, 0, HR_ERR_MALFORMED},
        {"+1", 1, 0, 0, HR_ERR_MALFORMED},
        {"1e2", 1, 0, 0, HR_ERR_MALFORMED},
        {"nan", 1, 0, 0, HR_ERR_MALFORMED},
        {"-", 1, 0, 0, HR_ERR_MALFORMED},
        {".", 1, 0, 0, HR_ERR_MALFORMED},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        int64_t units = 0;
        const hr_status status =
            units_of(cases[k].text, cases[k].mantissa, cases[k].exponent, &units);
        assert(status == cases[k].status && units == cases[k].units);
    }
    int64_t units = 0;
    const hr_fix_decimal absent = {0, 0, 0};
    const hr_fix_instrument option = option_of();
    assert(hr_fix_to_ticks(&option, &absent, &units) == HR_ERR_NOT_FOUND);
    assert(hr_fix_to_ticks(NULL, &absent, &units) == HR_ERR_ARGUMENT);
    assert(hr_fix_to_lots(NULL, &absent, &units) == HR_ERR_ARGUMENT);
}

int main(void) {
    test_an_answer_to_a_mass_quote_is_read_entry_by_entry();
    test_entries_without_an_id_begin_where_a_field_comes_again();
    test_a_refused_mass_quote_has_no_entries();
    test_the_status_may_stand_behind_the_entries();
    test_answers_that_break_their_form_are_refused();
    test_executions_carry_our_id_and_their_fills();
    test_executions_that_break_their_form_are_refused();
    test_answers_to_cancels_are_read();
    test_refusals_say_what_they_refuse();
    test_decimals_become_whole_units_or_nothing();
    free(stream.memory);
    return 0;
}
