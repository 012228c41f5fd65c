// Learning word vectors on one instruction set; `kernels.cpp` puts it among what the set offers.
#pragma once

#include "learning.h"

namespace peephole::PEEPHOLE_ISA {

// Learns from every part; the order of parts is that of the text on one thread. On several they write into the tables
// as they come, without locks (Recht et al. 2011, Hogwild): a change may be lost, and results differ from call to call.
void learn_words(const WordLearning& call);

}  // namespace peephole::PEEPHOLE_ISA
