/* The drain's protocol (docs/decisions/0130, 0131, 0277) for spin: one shard, FRAMES frames, EPOCHS leases.

   The holder of each epoch is a process of its own: fence, quiesce, pending list, verify, insert what is absent, settle, read
   on. It may crash between any two steps; the lease may pass to the next epoch at any moment, and the former holder goes on
   with what it was about to do. An insert is a request: the store may admit it long after its sender has gone, and makes it
   visible in two parts, between which anything may happen. Its sender may give it up at any moment.

   One step here is what is one step there: a transaction of the buffer, a fence, a look at one insert, the commit of a part.

   Taken away with -D: VERIFY=0, FENCE=0, QUIESCE=0, SETTLE_FENCE=0 (the buffer lets anybody settle), SPARE_NEWER=0 (quiesce
   stops the inserts of newer epochs too). -DGOAL=1 asserts that nothing is ever finished, to see that it is.             */

#ifndef VERIFY
#define VERIFY 1
#endif
#ifndef FENCE
#define FENCE 1
#endif
#ifndef QUIESCE
#define QUIESCE 1
#endif
#ifndef SETTLE_FENCE
#define SETTLE_FENCE 1
#endif
#ifndef SPARE_NEWER
#define SPARE_NEWER 1
#endif
#ifndef GOAL
#define GOAL 0
#endif
#ifndef FRAMES
#define FRAMES 2
#endif
#ifndef EPOCHS
#define EPOCHS 3
#endif

mtype = { none, sent, running, half, over };

/* the buffer */
byte epoch;                 /* of the lease */
byte next;                  /* the first frame that nobody has read */
bool pending[FRAMES];
bool settled[FRAMES];

/* the store */
byte first[FRAMES];         /* how often the first part of a frame is there, and the second */
byte second[FRAMES];
byte fenced;                /* inserts of lower epochs cannot begin */

/* the insert of each epoch, as the store knows it: which frame, which of its parts, what it would answer */
mtype insert[EPOCHS + 1] = none;
byte frame[EPOCHS + 1];
bool with_first[EPOCHS + 1];
bool with_second[EPOCHS + 1];
bool success[EPOCHS + 1];

proctype Store(byte e) {
end:
  do
  :: atomic { insert[e] == sent && (!FENCE || e >= fenced) -> insert[e] = running }
  :: atomic { insert[e] == sent && FENCE && e < fenced -> insert[e] = over; success[e] = false }
  :: atomic { insert[e] == running ->
       if :: with_first[e] -> first[frame[e]]++; assert(first[frame[e]] == 1) :: else fi;   /* nothing twice */
       insert[e] = half }
  :: atomic { insert[e] == half ->
       if :: with_second[e] -> second[frame[e]]++; assert(second[frame[e]] == 1) :: else fi;
       insert[e] = over; success[e] = true }
  od
}

/* What is stopped ends behind any of its parts, and may call that a success. */
inline stop(other) {
  atomic {
    if
    :: insert[other] == running || insert[other] == half ->
         insert[other] = over;
         if :: success[other] = true :: success[other] = false fi
    :: else
    fi
  }
}

inline may_crash() { if :: skip :: goto gone fi }

/* Store frame f, both parts or those that are named; a failure of any kind ends the epoch. */
inline store_and_settle(f) {
  atomic { frame[me] = f; success[me] = false; insert[me] = sent };
  if
  :: atomic { insert[me] == over && success[me] }
  :: atomic { insert[me] == over && !success[me] -> goto gone }
  :: goto gone                                                                /* no answer; the insert may go on */
  fi;
  may_crash();
  settle(f)
}

inline settle(f) {
  atomic {
    if
    :: SETTLE_FENCE && epoch != me -> goto gone
    :: else
    fi;
    assert(first[f] == 1 && second[f] == 1);                                  /* nothing lost */
    pending[f] = false; settled[f] = true;
    assert(!GOAL || !settled[0] || !settled[FRAMES - 1])
  }
}

proctype Holder() {
  byte me, f, other;
  atomic { epoch < EPOCHS -> epoch++; me = epoch };
  may_crash();
  atomic { if :: fenced < me -> fenced = me :: else -> goto gone fi };
  may_crash();
#if QUIESCE
  other = 1;
  do
  :: other <= EPOCHS && (other < me || (!SPARE_NEWER && other != me)) -> stop(other); other++
  :: other <= EPOCHS && !(other < me || (!SPARE_NEWER && other != me)) -> other++
  :: else -> break
  od;
#endif
  f = 0;
  do
  :: f < FRAMES ->
       may_crash();
       if
       :: atomic { epoch != me -> goto gone }                                 /* the pending list is read under the lease */
       :: atomic { epoch == me && !pending[f] -> f++ }
       :: atomic { epoch == me && pending[f] -> skip };
#if VERIFY
          atomic { with_first[me] = (first[f] == 0); with_second[me] = (second[f] == 0) };
#else
          with_first[me] = true; with_second[me] = true;
#endif
          if
          :: with_first[me] || with_second[me] -> store_and_settle(f)
          :: else -> settle(f)
          fi;
          f++
       fi
  :: else -> break
  od;
  do
  :: may_crash();
     atomic {
       if
       :: epoch == me && next < FRAMES -> f = next; next++; pending[f] = true
       :: else -> goto gone
       fi
     };
     with_first[me] = true; with_second[me] = true;
     store_and_settle(f)
  od;
gone: skip
}

init {
  byte e = 1;
  atomic {
    do
    :: e <= EPOCHS -> run Store(e); run Holder(); e++
    :: else -> break
    od
  }
}
