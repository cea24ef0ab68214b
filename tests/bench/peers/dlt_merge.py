"""dlt into PostgreSQL, as its documentation has it for records that change: write_disposition="merge" with a primary key
(strategy delete-insert, the default), whole pages yielded, CSV files loaded by COPY. What was read so far is kept per
credential in the resource's own state ("advanced state"); the day is asked for with 30 days of overlap. With a `merge_key` in
the order, rows that have the values of one that came are replaced by what came."""
import os
import sys

from provider import answers, read_order

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ["RUNTIME__LOG_LEVEL"] = "ERROR"

import dlt  # noqa: E402

# Without hints amounts would be double precision or bigint, whichever comes first, and days text.
COLUMNS = {
    "amount": {"data_type": "decimal"}, "balance": {"data_type": "decimal"},
    "operationDate": {"data_type": "date"}, "valueDate": {"data_type": "date"},
}


def main(order):
    @dlt.resource(name="transactions", primary_key="_id", merge_key=order.get("merge_key"), write_disposition="merge",
                  columns=COLUMNS)
    def transactions():
        for _, records in answers(order, dlt.current.resource_state().setdefault("read_to", {})):
            yield records

    # A unix socket's directory is no host of a URL; as a parameter libpq takes it in its place.
    destination = dlt.destinations.postgres(f"postgresql://postgres:unused@localhost:5432/{order['database']}?host={order['host']}")
    pipeline = dlt.pipeline("bank", pipelines_dir=order["state"], destination=destination, dataset_name="bank")
    try:
        pipeline.run(transactions(), loader_file_format="csv")
    except Exception as error:  # noqa: BLE001
        # What is pending would be tried again, and fail again, before anything else is read.
        pipeline.abort_packages()
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main(read_order())
