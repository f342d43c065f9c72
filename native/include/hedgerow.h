/* hedgerow.h: what every part of the C core shares; the parts have a header each beside it.
 *
 * Units are in names: _ticks _lots _ns are integers; _years _vol _usd _coin are doubles.
 * Nothing here allocates, logs or locks, and only hr_loop calls the system. Callers own all memory.
 */
#ifndef HEDGEROW_H
#define HEDGEROW_H

#include <stdint.h>

/* cdef: begin */
typedef int32_t hr_status;

#define HR_OK 0
#define HR_ERR_ARGUMENT -1      /* A NULL, misaligned or out-of-range argument: strike 0. */
#define HR_ERR_NOT_FINITE -2    /* NaN or infinity came in, or would have gone out. */
#define HR_ERR_DOMAIN -3        /* No solution exists: a price below intrinsic value. */
#define HR_ERR_NOT_CONVERGED -4 /* An iteration ended outside its tolerance. */
#define HR_ERR_FULL -5          /* Caller's buffer or table is full. */
#define HR_ERR_NOT_FOUND -6     /* No such order, instrument or expiry. */
#define HR_ERR_MAGIC -7         /* Memory was not initialised, or by another version. */
#define HR_ERR_STALE -8         /* An input is older than its bound. */
#define HR_ERR_WOULD_CROSS -9   /* A post-only order would have traded. */
#define HR_ERR_NOT_FILLABLE -10 /* A fill-or-kill order finds too little. */
#define HR_ERR_MALFORMED -11    /* Bytes that break their format: a group shorter than it says. */
#define HR_ERR_SYSTEM -12       /* The system refused: a port in use; errno says why. */

/* Returns the name of a status, "HR_ERR_FULL"; "unknown" for any other number. */
const char *hr_status_name(hr_status status);
/* cdef: end */

#endif
