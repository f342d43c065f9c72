#include "hr_fix_scan.h"

static const int64_t powers_of_ten[19] = {1,
                                          10,
                                          100,
                                          1000,
                                          10000,
                                          100000,
                                          1000000,
                                          10000000,
                                          100000000,
                                          1000000000,
                                          10000000000,
                                          100000000000,
                                          1000000000000,
                                          10000000000000,
                                          100000000000000,
                                          1000000000000000,
                                          10000000000000000,
                                          100000000000000000,
                                          1000000000000000000};

hr_status hr_fix_to_integer(const hr_fix_text *text, int64_t *value_out) {
    if (text == NULL || value_out == NULL) {
        return HR_ERR_ARGUMENT;
    }
    const int64_t value = hr_fix_integer_read(text);
    if (value < 0) {
        return HR_ERR_MALFORMED;
    }
    *value_out = value;
    return HR_OK;
}

/* Zeros at the end of the fraction do not count: the exponent is as near to 0 as it can be. */
hr_status hr_fix_decimal_read(const hr_fix_text *text, hr_fix_decimal *decimal_out) {
    const int is_negative = text->count > 0 && text->bytes[0] == '-';
    int64_t mantissa = 0;
    int32_t decimals = 0;
    int32_t zeros = 0; /* Of the fraction, not yet counted. */
    int digits = 0;
    int is_fraction = 0;
    for (int64_t k = is_negative; k < text->count; k++) {
        const uint8_t at = text->bytes[k];
        if (at == '.' && !is_fraction) {
            is_fraction = 1;
            continue;
        }
        if (at < '0' || at > '9') {
            return HR_ERR_MALFORMED;
        }
        digits = 1;
        if (is_fraction && at == '0') {
            zeros++;
            continue;
        }
        const int32_t shift = (is_fraction ? zeros : 0) + 1;
        if (shift > 18 || decimals + shift > 18 ||
            mantissa > (HR_FIX_UNITS_MAX - 1) / powers_of_ten[shift]) {
            return HR_ERR_MALFORMED;
        }
        mantissa = mantissa * powers_of_ten[shift] + (at - '0');
        decimals += is_fraction ? shift : 0;
        zeros = 0;
    }
    if (!digits || mantissa >= HR_FIX_UNITS_MAX) {
        return HR_ERR_MALFORMED;
    }
    decimal_out->mantissa = is_negative ? -mantissa : mantissa;
    decimal_out->exponent = -decimals;
    decimal_out->is_present = 1;
    return HR_OK;
}

static hr_status to_units(const hr_fix_decimal *decimal, int64_t unit_mantissa,
                          int32_t unit_exponent, int64_t *units_out) {
    if (!decimal->is_present) {
        return HR_ERR_NOT_FOUND;
    }
    const int32_t shift = decimal->exponent - unit_exponent;
    int64_t mantissa = decimal->mantissa;
    if (mantissa < 0 || shift > 18 || shift < -18) {
        return HR_ERR_DOMAIN;
    }
    if (shift < 0) {
        if (mantissa % powers_of_ten[-shift] != 0) {
            return HR_ERR_DOMAIN;
        }
        mantissa /= powers_of_ten[-shift];
    } else if (mantissa > INT64_MAX / powers_of_ten[shift]) {
        return HR_ERR_DOMAIN;
    } else {
        mantissa *= powers_of_ten[shift];
    }
    if (mantissa % unit_mantissa != 0 || mantissa / unit_mantissa > HR_FIX_COUNT_MAX) {
        return HR_ERR_DOMAIN;
    }
    *units_out = mantissa / unit_mantissa;
    return HR_OK;
}

hr_status hr_fix_to_ticks(const hr_fix_instrument *instrument, const hr_fix_decimal *price,
                          int64_t *ticks_out) {
    if (instrument == NULL || price == NULL || ticks_out == NULL || instrument->tick_mantissa < 1) {
        return HR_ERR_ARGUMENT;
    }
    return to_units(price, instrument->tick_mantissa, instrument->tick_exponent, ticks_out);
}

hr_status hr_fix_to_lots(const hr_fix_instrument *instrument, const hr_fix_decimal *size,
                         int64_t *lots_out) {
    if (instrument == NULL || size == NULL || lots_out == NULL || instrument->lot_mantissa < 1) {
        return HR_ERR_ARGUMENT;
    }
    return to_units(size, instrument->lot_mantissa, instrument->lot_exponent, lots_out);
}

uint64_t hr_fix_hash(const uint8_t *bytes, int64_t count) {
    uint64_t hash = 14695981039346656037ULL;
    for (int64_t k = 0; bytes != NULL && k < count; k++) {
        hash = (hash ^ bytes[k]) * 1099511628211ULL;
    }
    return hash;
}
