/* hr_shared_order.h: the memory orders between two threads, named once. A test compiles them
 * weaker to see that the thread sanitizer would notice. */
#ifndef HR_SHARED_ORDER_H
#define HR_SHARED_ORDER_H

#include <stdatomic.h>

#ifndef HR_ORDER_PUBLISH
#define HR_ORDER_PUBLISH memory_order_release
#endif
#ifndef HR_ORDER_EXCHANGE
#define HR_ORDER_EXCHANGE memory_order_acq_rel
#endif

#endif
