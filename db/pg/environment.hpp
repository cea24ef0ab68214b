// libpq takes from the environment what a conninfo leaves out (PostgreSQL 15, libpq-envars).
#pragma once

namespace flanks {

// Forgets the variables that would change what our statements mean (PGDATESTYLE, PGTZ, PGOPTIONS
// ...) or send them elsewhere behind the configuration's back (PGSERVICE, PGHOSTADDR ...), and
// PGPASSWORD: secrets come from files only. PGHOST, PGPORT, PGUSER, PGDATABASE and the PGSSL family
// stay. Call before the first thread is started.
void forget_overriding_environment();

}  // namespace flanks
