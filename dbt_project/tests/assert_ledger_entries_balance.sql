-- Every posted transaction of the primary book sums to zero: debits equal credits.
select
    connection,
    document_id,
    sum(functional_amount) as imbalance_amount
from {{ ref('int_gl_entries__unioned') }}
group by connection, document_id
having sum(functional_amount) <> 0
