#include "hr_fix_scan.h"

enum { DAY_SECONDS = 86400, SECONDS_COUNT = 17, EPOCH_FROM_MARCH = 719468 };

#define SECOND_NS 1000000000

/* Days since 1970 of a date, counted in eras of 400 years that begin in March. */
static int64_t days_from_date(int64_t year, int64_t month, int64_t day) {
    const int64_t shifted = month <= 2 ? year - 1 : year;
    const int64_t era = shifted / 400;
    const int64_t year_of_era = shifted - era * 400;
    const int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    const int64_t day_of_era =
        year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - EPOCH_FROM_MARCH;
}

static void date_from_days(int64_t days, int64_t *year, int64_t *month, int64_t *day) {
    const int64_t shifted = days + EPOCH_FROM_MARCH;
    const int64_t era = shifted / 146097;
    const int64_t day_of_era = shifted - era * 146097;
    const int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    const int64_t day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const int64_t from_march = (5 * day_of_year + 2) / 153;
    *day = day_of_year - (153 * from_march + 2) / 5 + 1;
    *month = from_march < 10 ? from_march + 3 : from_march - 9;
    *year = year_of_era + era * 400 + (*month <= 2 ? 1 : 0);
}

/* Returns `count` digits at `bytes` as a number, -1 where one is none. */
static int64_t digits_read(const uint8_t *bytes, int count) {
    int64_t number = 0;
    for (int k = 0; k < count; k++) {
        if (bytes[k] < '0' || bytes[k] > '9') {
            return -1;
        }
        number = number * 10 + (bytes[k] - '0');
    }
    return number;
}

static void digits_write(uint8_t *out, int count, int64_t number) {
    for (int k = count - 1; k >= 0; k--) {
        out[k] = (uint8_t)('0' + number % 10);
        number /= 10;
    }
}

static int64_t fraction_ns(const uint8_t *bytes, int64_t count) {
    if (count == 0) {
        return 0;
    }
    if (bytes[0] != '.' || count < 2 || count > 10) {
        return -1;
    }
    int64_t fraction = digits_read(bytes + 1, (int)count - 1);
    for (int64_t k = count - 1; k < 9 && fraction > 0; k++) {
        fraction *= 10;
    }
    return fraction;
}

static int64_t time_read(const hr_fix_text *text) {
    const uint8_t *const at = text->bytes;
    if (text->count < SECONDS_COUNT || at[8] != '-' || at[11] != ':' || at[14] != ':') {
        return -1;
    }
    const int64_t year = digits_read(at, 4);
    const int64_t month = digits_read(at + 4, 2);
    const int64_t day = digits_read(at + 6, 2);
    const int64_t hour = digits_read(at + 9, 2);
    const int64_t minute = digits_read(at + 12, 2);
    const int64_t second = digits_read(at + 15, 2);
    const int64_t fraction = fraction_ns(at + SECONDS_COUNT, text->count - SECONDS_COUNT);
    if (year < 1970 || year > 2199 || month < 1 || month > 12 || day < 1 || day > 31 || hour < 0 ||
        hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60 || fraction < 0) {
        return -1;
    }
    const int64_t seconds =
        days_from_date(year, month, day) * DAY_SECONDS + hour * 3600 + minute * 60 + second;
    return seconds * SECOND_NS + fraction;
}

hr_status hr_fix_to_time(const hr_fix_text *text, int64_t *time_ns_out) {
    if (text == NULL || time_ns_out == NULL) {
        return HR_ERR_ARGUMENT;
    }
    const int64_t time_ns = text->bytes == NULL ? -1 : time_read(text);
    if (time_ns < 0) {
        return HR_ERR_MALFORMED;
    }
    *time_ns_out = time_ns;
    return HR_OK;
}

void hr_fix_time_write(int64_t second, uint8_t *out) {
    int64_t year;
    int64_t month;
    int64_t day;
    date_from_days(second / DAY_SECONDS, &year, &month, &day);
    const int64_t of_day = second % DAY_SECONDS;
    digits_write(out, 4, year);
    digits_write(out + 4, 2, month);
    digits_write(out + 6, 2, day);
    out[8] = '-';
    digits_write(out + 9, 2, of_day / 3600);
    out[11] = ':';
    digits_write(out + 12, 2, of_day / 60 % 60);
    out[14] = ':';
    digits_write(out + 15, 2, of_day % 60);
    out[17] = '.';
}
