-- Applied and open make the amount: the pieces of a payment or credit sum to the document, whoever they were applied to.
with pieces as (
    select
        document_key,
        sum(amount) as amount
    from {{ ref_current('rec_document') }} as document
    where hop = 'invoice_cash' and (side = 'right' or document_type = 'credit_memo')
    group by document_key
)

select
    documents.document_key,
    documents.total_amount,
    pieces.amount
from {{ ref_current('int_rec_documents') }} as documents
inner join pieces on documents.document_key = pieces.document_key
where
    pieces.amount
    <> case
        when documents.settles_itself then coalesce(documents.header_total_amount, documents.total_amount) else
            documents.total_amount
    end
