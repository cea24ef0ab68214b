#include "db/pg/environment.hpp"

#include <stdlib.h>

#include <initializer_list>

namespace flanks {

void forget_overriding_environment() {
  for (const char* const name : {"PGDATESTYLE", "PGTZ", "PGOPTIONS", "PGCLIENTENCODING", "PGGEQO",
                                 "PGSERVICE", "PGSERVICEFILE", "PGHOSTADDR", "PGTARGETSESSIONATTRS",
                                 "PGPASSWORD", "PGREPLICATION", "PGAPPNAME"}) {
    unsetenv(name);
  }
}

}  // namespace flanks
