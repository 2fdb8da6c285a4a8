// Everything: include this, or the part you need.
#pragma once

#include "godwit/endpoint.h"
#include "godwit/node.h"
#include "godwit/node_group.h"
#include "godwit/ticket.h"
#include "godwit/types.h"
#include "godwit/version.h"
