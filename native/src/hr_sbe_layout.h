/* hr_sbe_layout.h: the schema as a table, which reading and writing share. */
#ifndef HR_SBE_LAYOUT_H
#define HR_SBE_LAYOUT_H

#include "hr_sbe.h"

/* A field: where it is in the struct and on the wire. */
typedef struct {
    uint16_t at_struct;
    uint16_t at_wire;
    uint16_t bytes;
} sbe_field;

/* A block or an entry. */
typedef struct {
    const sbe_field *fields;
    int64_t size; /* Of the struct; 0: there is none. */
    uint16_t field_count;
    uint16_t bytes; /* On the wire. */
} sbe_part;

typedef struct {
    sbe_part block;
    sbe_part entry;
    uint16_t template_id;
    uint16_t version;
    uint16_t group_count;
    uint16_t text_count;
} sbe_layout;

/* Returns the layout of a template, NULL when it is unknown. */
const sbe_layout *sbe_layout_of(int32_t template_id);

#endif
