#include "hedgerow.h"

const char *hr_status_name(hr_status status) {
    switch (status) {
    case HR_OK:
        return "HR_OK";
    case HR_ERR_ARGUMENT:
        return "HR_ERR_ARGUMENT";
    case HR_ERR_NOT_FINITE:
        return "HR_ERR_NOT_FINITE";
    case HR_ERR_DOMAIN:
        return "HR_ERR_DOMAIN";
    case HR_ERR_NOT_CONVERGED:
        return "HR_ERR_NOT_CONVERGED";
    case HR_ERR_FULL:
        return "HR_ERR_FULL";
    case HR_ERR_NOT_FOUND:
        return "HR_ERR_NOT_FOUND";
    case HR_ERR_MAGIC:
        return "HR_ERR_MAGIC";
    case HR_ERR_STALE:
        return "HR_ERR_STALE";
    case HR_ERR_WOULD_CROSS:
        return "HR_ERR_WOULD_CROSS";
    case HR_ERR_NOT_FILLABLE:
        return "HR_ERR_NOT_FILLABLE";
    case HR_ERR_MALFORMED:
        return "HR_ERR_MALFORMED";
    case HR_ERR_SYSTEM:
        return "HR_ERR_SYSTEM";
    default:
        return "unknown";
    }
}
