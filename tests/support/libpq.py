"""A connection to PostgreSQL that learns of a NOTIFY when it comes: libpq by ctypes. psql tells of one only after the
next statement."""
import ctypes
import select

POINTERS = ("PQconnectdb", "PQexec", "PQnotifies")
TEXTS = ("PQerrorMessage", "PQgetvalue")


def load():
    library = ctypes.CDLL("libpq.so.5")
    for name in POINTERS:
        getattr(library, name).restype = ctypes.c_void_p
    for name in TEXTS:
        getattr(library, name).restype = ctypes.c_char_p
    library.PQgetvalue.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_int]
    for name in ("PQstatus", "PQerrorMessage", "PQfinish", "PQsocket", "PQconsumeInput", "PQnotifies", "PQresultStatus", "PQntuples",
                 "PQclear", "PQfreemem"):
        getattr(library, name).argtypes = [ctypes.c_void_p]
    library.PQexec.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    return library


class Connection:
    DONE = (1, 2)  # PGRES_COMMAND_OK, PGRES_TUPLES_OK

    def __init__(self, dsn):
        self.pq = load()
        self.connection = self.pq.PQconnectdb(dsn.encode())
        if self.pq.PQstatus(self.connection) != 0:
            raise AssertionError(self.error())

    def error(self):
        return self.pq.PQerrorMessage(self.connection).decode()

    def run(self, sql, column=0):
        """The values of one column of all rows, as text; all of the answer has been received then."""
        result = self.pq.PQexec(self.connection, sql.encode())
        try:
            if self.pq.PQresultStatus(result) not in self.DONE:
                raise AssertionError(f"{sql}\n{self.error()}")
            return [self.pq.PQgetvalue(result, row, column).decode() for row in range(self.pq.PQntuples(result))]
        finally:
            self.pq.PQclear(result)

    def wait(self, seconds):
        """Until a notification comes, or so long; takes all that have come. Whether one has."""
        if self.taken():
            return True
        select.select([self.pq.PQsocket(self.connection)], [], [], seconds)
        return self.taken()

    def taken(self):
        if not self.pq.PQconsumeInput(self.connection):
            raise AssertionError(self.error())
        any_ = False
        while one := self.pq.PQnotifies(self.connection):
            self.pq.PQfreemem(one)
            any_ = True
        return any_

    def close(self):
        self.pq.PQfinish(self.connection)
