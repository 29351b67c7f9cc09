#ifndef ENGAGEMENT_WORKER_CLIBPQ_H
#define ENGAGEMENT_WORKER_CLIBPQ_H

#include <libpq-fe.h>
// Not in Swift's Glibc module.
#include <sys/eventfd.h>

#endif
